import GitCore
import GitStore
import TestSupport
import Testing

@testable import GitCache

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Which mirrors there are, and which have to leave.
@Suite(.timeLimit(.minutes(10))) struct MirrorFolderTests {
    private let scratch = Result { try TemporaryDirectory() }
    private var path: ByteString { get throws { ByteString(try scratch.get()("mirrors")) } }

    private func open(budget: UInt64 = .max) throws -> MirrorFolder {
        try MirrorFolder(path, budget: budget)
    }

    /// Makes a mirror of so many KiB; nobody has it afterwards.
    private func fill(_ folder: MirrorFolder, _ name: ByteString, _ size: Int) throws {
        let mirror = try folder.mirror(name, .sha1)
        let file = mirror.repository.objects.directory / "pack/filling"
        try File(file, O_WRONLY | O_CREAT).write([UInt8](repeating: 1, count: size << 10))
        usleep(5_000)
    }

    @Test func theLeastRecentlyUsedLeave() throws {
        let folder = try open(budget: 3_500 << 10)
        defer { folder.stop() }
        for name: ByteString in ["h/1", "h/2", "h/3"] { try fill(folder, name, 1_000) }
        #expect(folder.keepWithinBudget().isEmpty)
        _ = try folder.mirror("h/1", .sha1)
        usleep(5_000)
        try fill(folder, "h/4", 1_000)
        #expect(folder.keepWithinBudget().map(\.name) == ["h/2"])
        #expect(folder.names.sorted() == ["h/1", "h/3", "h/4"])
        #expect(try FileSystem.list(path).count == 3)
        #expect(folder.bytes <= 3_500 << 10)
    }

    @Test func whatIsInUseStays() throws {
        let folder = try open(budget: 1_500 << 10)
        defer { folder.stop() }
        try fill(folder, "h/1", 1_000)
        var used: Mirror? = try folder.mirror("h/1", .sha1)
        usleep(5_000)
        try fill(folder, "h/2", 1_000)
        #expect(folder.keepWithinBudget().map(\.name) == ["h/2"])
        try fill(folder, "h/3", 3_000)
        var other: Mirror? = try folder.mirror("h/3", .sha1)
        #expect(folder.keepWithinBudget().isEmpty)
        #expect(used.map(folder.has) == true && other.map(folder.has) == true)
        (used, other) = (nil, nil)
        #expect(Set(folder.keepWithinBudget().map(\.name)) == ["h/1", "h/3"])
        _ = (used, other)
    }

    /// What grows while it is in use is seen afterwards.
    @Test func whatHasGrownIsSeen() throws {
        let folder = try open(budget: 1_500 << 10)
        defer { folder.stop() }
        var mirror: Mirror? = try folder.mirror("h/1", .sha1)
        #expect(folder.keepWithinBudget().isEmpty)
        let file = try #require(mirror).repository.objects.directory / "pack/filling"
        try File(file, O_WRONLY | O_CREAT).write([UInt8](repeating: 1, count: 2_000 << 10))
        mirror = nil
        #expect(folder.keepWithinBudget().map(\.name) == ["h/1"])
        _ = mirror
    }

    @Test func onlySomeStayOpen() throws {
        let folder = try open()
        defer { folder.stop() }
        for number in 1 ... 6 { try fill(folder, ByteString("h/\(number)"), 1) }
        let used = try folder.mirror("h/1", .sha1)
        #expect(folder.closeIdle(most: 6).isEmpty)
        #expect(folder.closeIdle(most: 3).map(\.name) == ["h/2", "h/3", "h/4"])
        #expect(folder.closeIdle(most: 0).map(\.name) == ["h/5", "h/6"])
        #expect(folder.has(used))
    }

    @Test func theClockMayBeSetBack() throws {
        let folder = try open()
        defer { folder.stop() }
        try fill(folder, "h/1", 1)
        folder.places.withLock { $0["h/1"]?.notedUse += 3_600_000 }
        _ = try folder.existing("h/1")
        let mirror = try folder.mirror("h/1", .sha1)
        #expect(folder.has(mirror))
    }

    @Test func toLookAtOneIsNoUse() throws {
        let folder = try open()
        defer { folder.stop() }
        try fill(folder, "h/1", 1)
        let before: UInt64 = 1_000_000_000_000
        folder.places.withLock {
            $0["h/1"]?.lastUse = before
            $0["h/1"]?.notedUse = before
        }
        #expect(try folder.existing("h/1") != nil)
        let (used, noted) = try folder.places.withLock { places in
            let place = try #require(places["h/1"])
            return (place.lastUse, place.notedUse)
        }
        #expect(used == before && noted == before)
    }

    @Test func theOrderOfUseIsFoundAgain() throws {
        do {
            let folder = try open()
            defer { folder.stop() }
            for name: ByteString in ["h/1", "h/2", "h/3"] { try fill(folder, name, 1_000) }
        }
        // As if long ago, in this order.
        for (number, name) in ["h/2", "h/3", "h/1"].enumerated() {
            let place = try #require(try MirrorFolder.find(in: path)[ByteString(name)])
            var times = [timespec](
                repeating: timespec(tv_sec: 1_000_000 + number, tv_nsec: 0), count: 2)
            let result = (place.directory / "description").withCString {
                utimensat(AT_FDCWD, $0, &times, 0)
            }
            #expect(result == 0)
        }
        do {
            let folder = try open()
            defer { folder.stop() }
            _ = try folder.mirror("h/2", .sha1)
        }
        let folder = try open(budget: 2_500 << 10)
        defer { folder.stop() }
        _ = folder.keepWithinBudget()
        #expect(folder.names.sorted() == ["h/1", "h/2"])
    }

    @Test func whatNobodyUsesIsClosed() throws {
        let folder = try open()
        defer { folder.stop() }
        var used: Mirror? = try folder.mirror("h/1", .sha1)
        _ = try folder.mirror("h/2", .sha1)
        _ = try folder.mirror("h/3", .sha1)
        folder.places.withLock { places in
            for name: ByteString in ["h/1", "h/2"] { places[name]?.lastUse -= 3_600_000 }
        }
        #expect(folder.closeIdle().map(\.name) == ["h/2"])
        #expect(folder.closeIdle().isEmpty)
        #expect(used.map(folder.has) == true)
        used = nil
        #expect(folder.closeIdle().map(\.name) == ["h/1"])
        #expect(try folder.mirror("h/2", .sha1).isEmpty)
        _ = used
    }

    @Test func whatWritesToOneThatIsGoneDoesNotHitTheNext() throws {
        let folder = try open()
        defer { folder.stop() }
        let old = try folder.mirror("h/1", .sha1)
        let place = try #require(try folder.take("h/1"))
        #expect(place.mirror === old && !folder.has(old) && folder.names.isEmpty)
        try folder.discard(place)
        #expect(try FileSystem.list(path).isEmpty)
        let new = try folder.mirror("h/1", .sha1)
        #expect(new !== old)
        #expect(new.repository.gitDirectory != old.repository.gitDirectory)
        #expect(try folder.take("h/1", if: old) == nil)
        #expect(folder.has(new))
        #expect(try folder.take("h/2") == nil)
    }

    @Test func upstreamIsMadeAnewInAnotherFormat() throws {
        let folder = try open()
        defer { folder.stop() }
        let old = try folder.mirror("h/1", .sha1)
        let new = try folder.mirror("h/1", .sha256)
        #expect(new.repository.format == .sha256 && !folder.has(old))
        #expect(try FileSystem.list(path).count == 1)
    }

    @Test func whatIsNoMirrorGoes() throws {
        let scratch = try scratch.get()
        do {
            let folder = try open()
            defer { folder.stop() }
            _ = try folder.mirror("h/1", .sha1)
            _ = try folder.mirror("h/2", .sha1)
        }
        let place = try #require(try MirrorFolder.find(in: path)["h/2"])
        try FileSystem.remove(place.directory / "description")
        try scratch.write("mirrors/tmp_1/objects/pack/x", [1])
        try scratch.write(
            "mirrors/\(String(repeating: "0", count: 64))-1.git/description", [1, 0x0a])
        let folder = try open()
        defer { folder.stop() }
        #expect(folder.names == ["h/1"])
        #expect(try FileSystem.list(path).count == 1)
    }
}
