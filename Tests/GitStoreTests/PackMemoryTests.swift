import Foundation
import GitCore
import Testing

@testable import GitStore

/// Memory that a pack takes, each in a process of its own: the most that was ever resident.
@Suite struct PackMemoryTests {
    let scratch: PackScratch
    init() throws { scratch = try PackScratch() }

    /// Indexes a pack from a file and says by how many bytes the resident peak grew.
    private static func growth(indexing path: String, threads: Int) throws -> Int {
        let directory = ByteString((path as NSString).deletingLastPathComponent)
        let input = try File(ByteString(path), O_RDONLY)
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        var options = PackIndexer.Options()
        options.threads = threads
        let before = try peak()
        let indexer = try PackIndexer(directory: directory, format: .sha1, options: options)
        while true {
            let count = try chunk.withUnsafeMutableBytes { try input.read(into: $0) }
            if count == 0 { break }
            try chunk.withUnsafeBytes {
                try indexer.append(UnsafeRawBufferPointer(rebasing: $0.prefix(count)))
            }
        }
        _ = try indexer.finish()
        return try peak() - before
    }

    private static func peak() throws -> Int {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
        let kibibytes = line.split(whereSeparator: { $0 == " " || $0 == "\t" })[1]
        return try #require(Int(kibibytes)) << 10
    }

    private func place(_ pack: PackBuilder) throws -> String {
        try scratch.write(pack.finished(), to: "in.pack")
        return scratch.path + "/in.pack"
    }

    private func zeros(_ count: Int) throws -> String {
        var pack = PackBuilder()
        let (size, stream) = PackBuilder.zeros(atLeast: count)
        pack.entry(type: 3, size: UInt64(size), stream: stream)
        pack.blob("after")
        return try place(pack)
    }

    @Test func blobOfHalfAGibibyte() async throws {
        let path = try zeros(512 << 20)
        await #expect(processExitsWith: .success) { [path = path as String] in
            let growth = try PackMemoryTests.growth(indexing: path, threads: 2)
            #expect(growth < 48 << 20)
        }
    }

    @Test(.enabled(if: ProcessInfo.processInfo.environment["APUS_BIG_TESTS"] != nil))
    func blobOfTwoGibibytesAndMore() async throws {
        let path = try zeros(5 << 29)
        await #expect(processExitsWith: .success) { [path = path as String] in
            let growth = try PackMemoryTests.growth(indexing: path, threads: 2)
            #expect(growth < 48 << 20)
        }
    }

    /// Large commits must not pile up before the threads that hash them.
    @Test func manyLargeCommits() async throws {
        let tree = "tree \(oid(.tree, []))\n"
        var pack = PackBuilder()
        let content = Array(tree.utf8) + [UInt8](repeating: 0x0a, count: 24 << 20)
        let stream = zlib(content)
        for _ in 0 ..< 12 { pack.entry(type: 1, size: UInt64(content.count), stream: stream) }
        let path = try place(pack)
        await #expect(processExitsWith: .success) { [path = path as String] in
            // At most: one arriving, one waiting, one being hashed.
            let growth = try PackMemoryTests.growth(indexing: path, threads: 2)
            #expect(growth < 112 << 20)
        }
    }

    /// Chains of large objects on many threads: large ones are one thread's at a time.
    @Test func largeObjectsFromDeltas() async throws {
        let size = 33 << 20
        var pack = PackBuilder()
        for tree in 0 ..< 4 as Range<UInt8> {
            let (count, stream) = PackBuilder.zeros(atLeast: size + Int(tree) * 3_000)
            var base = pack.entry(type: 3, size: UInt64(count), stream: stream)
            for step in 0 ..< 3 as Range<UInt8> {
                var delta = DeltaBuilder(base: UInt64(count), result: UInt64(count))
                    .inserting([tree, step])
                var rest = count - 2
                while rest > 0 {
                    delta = delta.copying(0, UInt32(min(rest, 0xff_ffff)))
                    rest -= 0xff_ffff
                }
                base = pack.delta(on: base, delta.bytes)
            }
        }
        let path = try place(pack)
        await #expect(processExitsWith: .success) { [path = path as String] in
            let growth = try PackMemoryTests.growth(indexing: path, threads: 4)
            #expect(growth < 110 << 20)
        }
    }
}
