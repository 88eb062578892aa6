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

/// A full disk costs speed: nobody who asks fails for it.
@Suite(.enabled(if: canMount), .timeLimit(.minutes(10))) struct FullDiskTests {
    /// Calls with a store on a file system of so many KiB.
    private func withSmallDisk(
        _ kibibytes: Int, _ change: (inout AnswerStore.Options) -> Void = { _ in },
        _ body: (AnswerStore, Scratch) throws -> Void
    ) throws {
        let scratch = try Scratch()
        let path = scratch.folder("cache")
        #expect(mkdir(path, 0o700) == 0)
        try mount(path, "size=\(kibibytes)k,nr_inodes=100")
        defer { unmount(path) }
        try body(try scratch.open(change), scratch)
    }

    @Test func allWhoFollowGetAllOfIt() throws {
        try withSmallDisk(1_024, { $0.tailSize = 10_000 }) { store, scratch in
            let bytes = content(1, 3_000_000)
            let writer = try store.writer(key(1))
            let followers = try (0 ..< 6).map { number in
                let reader = try store.reader(key(1))
                return try Running { try reader.rest([500, 5_000, 50_000][number % 3]) }
            }
            for start in stride(from: 0, to: bytes.count, by: 100_000) {
                writer.append(Array(bytes[start ..< start + 100_000]))
            }
            #expect(!writer.isKept)
            writer.finish()
            for follower in followers { #expect(try follower.value() == bytes) }
            #expect(try scratch.files() == [])
            #expect(store.statistics.failures == 1)
        }
    }

    @Test func whatIsLongNotUsedMakesRoom() throws {
        try withSmallDisk(1_024) { store, _ in
            for number in 1 ... 3 { #expect(try store.add(key(number), content(number, 200_000))) }
            #expect(try store.has(1))
            let writer = try store.writer(key(4))
            for part in 0 ..< 8 {
                writer.append(Array(content(4, 800_000)[(part * 100_000)...].prefix(100_000)))
            }
            writer.finish()
            #expect(writer.isKept)
            #expect(store.statistics.evictions > 0 && store.statistics.failures == 0)
            #expect(try store.whole(key(4)).bytes() == content(4, 800_000))
        }
    }

    @Test func aFileThatCannotBeMadeIsPassedOn() throws {
        try withSmallDisk(1_024) { store, scratch in
            var taken = 0
            while creat(scratch.file("taken\(taken)"), 0o600) >= 0 { taken += 1 }
            let writer = try store.writer(key(1))
            #expect(!writer.isKept)
            let reader = writer.reader()
            let reading = try Running { try reader.rest() }
            writer.append(content(1, 3_000_000))
            writer.finish()
            #expect(try reading.value() == content(1, 3_000_000))
            // The next who asks is not made to follow what began without them.
            _ = try store.writer(key(1))
        }
    }

    @Test func keepsTheFloorFree() throws {
        try withSmallDisk(1_024, { $0.freeSpaceFloor = 500_000 }) { store, scratch in
            #expect(try store.add(key(1), content(1, 200_000)))
            #expect(try store.add(key(2), content(2, 200_000)))
            // Room for this is made by the first two.
            #expect(try store.add(key(3), content(3, 200_000)))
            #expect(store.statistics.evictions > 0)
            try scratch.folder.write("cache/other", content(9, 400_000))
            #expect(try !store.add(key(4), content(4, 200_000)))
        }
    }

    @Test func whatWasKeptIsThereAfterARestart() throws {
        let scratch = try Scratch()
        let path = scratch.folder("cache")
        #expect(mkdir(path, 0o700) == 0)
        try mount(path, "size=1024k")
        defer { unmount(path) }
        do {
            let store = try scratch.open()
            #expect(try store.add(key(1), content(1, 400_000)))
            _ = try? scratch.folder.write("cache/filler", content(9, 2_000_000))
            #expect(try store.whole(key(1)).bytes() == content(1, 400_000))
            #expect(try store.has(1))
        }
        let store = try scratch.open()
        #expect(try store.whole(key(1)).bytes() == content(1, 400_000))
        // With the disk full, the database too, nothing fails.
        for number in 2 ... 5 { _ = try store.add(key(number), content(number, 300_000)) }
        try store.removeAll()
        #expect(try scratch.files() == [])
    }
}

/// Whether this process may mount file systems: root outside of most containers.
private let canMount: Bool = {
    guard let scratch = try? TemporaryDirectory(), (try? mount(scratch.path, "size=64k")) != nil
    else { return false }
    unmount(scratch.path)
    return true
}()

private func mount(_ path: String, _ options: String) throws {
    try run("mount", ["-t", "tmpfs", "-o", options, "none", path]).required()
}

private func unmount(_ path: String) {
    _ = try? run("umount", ["-l", path])
}
