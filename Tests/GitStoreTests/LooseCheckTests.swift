import Foundation
import GitCore
import Testing

@testable import GitStore

/// Loose objects held against their names many at a time, beside one at a time.
@Suite struct LooseCheckTests {
    let scratch: PackScratch
    let store: LooseStore

    init() throws {
        scratch = try PackScratch()
        try scratch.createRepository()
        store = LooseStore(directory: scratch["r/objects"], format: .sha1)
    }

    private func place(_ file: [UInt8], as oid: ObjectID) throws {
        let path = store.path(oid)
        try FileSystem.createDirectories(path.dropLast(39))
        try File(path, O_WRONLY | O_CREAT | O_EXCL).write(file)
    }

    /// Hundreds of sound objects, some of them large.
    private func fill() throws {
        for number in 0 ..< 700 {
            let size = [0, 5, 300, 20_000, 1 << 20 - 13, 1 << 20 - 12, 3 << 20][
                number % 100 < 90 ? number % 4 : (number % 100 == 99 ? number / 100 % 3 + 4 : 2)]
            let content =
                PackRandom.bytes(size / 2, seed: UInt64(number))
                + Array(
                    repeating: UInt8(truncatingIfNeeded: number), count: size - size / 2)
            let id = oid(.blob, content)
            if store.contains(id) { continue }
            try store.write(id, .blob, content)
        }
    }

    /// Files that are no objects, or not those of their names.
    private func damage() throws -> Set<ObjectID> {
        let text = Array("blob 5\0hello".utf8)
        let good = zlib(text)
        let large = zlib(Array("blob 3000000\0".utf8) + [UInt8](repeating: 9, count: 3_000_000))
        let files: [[UInt8]] = [
            [], good.dropLast(3), good + [0], good + good, zlib(Array("blob 6\0hello".utf8)),
            zlib(Array("blob 4\0hello".utf8)), zlib(Array("blub 5\0hello".utf8)), zlib([]), good,
            zlib(Array("blob 05\0hello".utf8)), zlib(Array("tree 5\0hello".utf8)), large,
            large.dropLast(1), Array("no zlib stream".utf8), zlib(PackRandom.bytes(100)),
            zlib(Array("blob 4294967296\0x".utf8)), [UInt8](repeating: 0, count: 2 << 20),
        ].map(Array.init)
        var oids: Set<ObjectID> = []
        for (number, file) in (files + files + files).enumerated() {
            let id = oid(blob: "another \(number)")
            try place(file, as: id)
            oids.insert(id)
        }
        return oids
    }

    @Test(arguments: [1, 2, 5]) func findsWhatOneAtATimeFinds(threads: Int) throws {
        try fill()
        let damaged = try damage()
        let oids = try store.oids().sorted()
        #expect(oids.count > 500)
        var expected: [String] = []
        for (number, oid) in oids.enumerated() {
            do throws(StoreError) { _ = try store.stream(oid) { _ in } } catch {
                expected.append("\(number) \(error.code) \(error.message)")
                #expect(damaged.contains(oid))
            }
        }
        #expect(expected.count == damaged.count)
        let found = LooseCheck(oids, in: store).run(threads: threads)
        #expect(
            found.faults.map { "\($0.number) \($0.error.code) \($0.error.message)" } == expected)
        #expect(found.kinds.count == oids.count)
        for (oid, kind) in zip(oids, found.kinds) {
            if damaged.contains(oid) { #expect(kind == nil) }
            if let kind { #expect(try store.header(oid)?.kind == kind) }
        }
        // All but the largest are told of.
        #expect(found.kinds.count { $0 != nil } > oids.count - damaged.count - 20)
    }

    @Test func whatIsGoneIsNotWrong() throws {
        try fill()
        var oids = try store.oids().sorted()
        oids.insert(oid(blob: "never was"), at: 100)
        let found = LooseCheck(oids, in: store).run(threads: 2)
        #expect(found.faults.isEmpty)
        #expect(found.kinds[100] == nil && found.kinds[99] != nil && found.kinds[101] != nil)
    }

    @Test func anErrorOfTheSystemIsTheLastThatIsTold() throws {
        try fill()
        _ = try damage()
        var oids = try store.oids().sorted()
        // A name that leads through a file is an error other than that there is none.
        let broken = oid(blob: "a directory")
        try FileSystem.createDirectories(store.path(broken))
        oids.append(broken)
        oids.sort()
        let place = try #require(oids.firstIndex(of: broken))
        let found = LooseCheck(oids, in: store).run(threads: 2)
        let fault = try #require(found.faults.first { $0.error.code == .system })
        #expect(fault.number == place)
        let before = LooseCheck(Array(oids[..<place]), in: store).run(threads: 1)
        #expect(
            found.faults.prefix { $0.number < place }.map(\.error.message)
                == before.faults.map(\.error.message))
    }

    @Test func nothingToCheck() {
        let found = LooseCheck([], in: store).run(threads: 4)
        #expect(found.kinds.isEmpty && found.faults.isEmpty)
    }
}
