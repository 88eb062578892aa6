import Foundation
import GitCore
import Testing

@testable import GitStore

/// Packs of more deltas than are kept: they are resolved in several goes while the pack arrives.
@Suite struct PackStagesTests {
    /// A tree of 400 entries, each of which names one of a pool of ids.
    private struct Tree {
        var picks: [Int]

        var content: [UInt8] {
            var content: [UInt8] = []
            content.reserveCapacity(picks.count * Self.entrySize)
            append(picks.indices, to: &content)
            return content
        }

        private func append(_ numbers: Range<Int>, to bytes: inout [UInt8]) {
            for number in numbers {
                bytes += Self.names[number]
                bytes += Self.pool[picks[number]]
            }
        }

        static let entrySize = 33
        static let names = (1_000 ..< 1_400).map { Array("100644 f\($0)".utf8) + [0] }
        static let pool = (0 ..< 5_000).map { PackRandom.bytes(20, seed: UInt64($0 + 1)) }

        /// The delta that makes this tree of another, which is the same but for some entries.
        func delta(on base: Tree, changed: Range<Int>) -> [UInt8] {
            let (size, width) = (UInt32(picks.count * Self.entrySize), UInt32(Self.entrySize))
            let (start, end) = (
                UInt32(changed.lowerBound) * width, UInt32(changed.upperBound) * width
            )
            var inserts: [UInt8] = []
            for first in stride(from: changed.lowerBound, to: changed.upperBound, by: 3) {
                var literal: [UInt8] = []
                append(first ..< min(first + 3, changed.upperBound), to: &literal)
                inserts.append(UInt8(literal.count))
                inserts += literal
            }
            return DeltaBuilder(base: UInt64(size), result: UInt64(size))
                .copying(0, start).adding(inserts).copying(end, size - end).bytes
        }
    }

    private struct Contents {
        var pack = PackBuilder()
        var ids: [ObjectID] = []
        var picks: Set<Int> = []
        var deltaCount = 0
    }

    /// Trees that are deltas on near and far ones, by offset and by id, also on what comes later.
    private static func contents(seed: UInt64, count: Int) -> Contents {
        var random = PackRandom(state: seed)
        var contents = Contents()
        var trees: [Tree] = []
        var bases: [(row: Int, changed: Range<Int>)?] = []
        for number in 0 ..< count {
            let isWhole = number < 10
            let base =
                switch Int.random(in: 0 ..< 10, using: &random) {
                case 0 ..< 2: Int.random(in: 0 ..< 10, using: &random)
                case 2 ..< 6: max(0, number - Int.random(in: 1 ... 10, using: &random))
                default: Int.random(in: 0 ..< max(1, number), using: &random)
                }
            var picks = isWhole ? Array(repeating: 0, count: 400) : trees[base].picks
            let first = isWhole ? 0 : Int.random(in: 1 ..< 50, using: &random)
            let changed = first ..< (isWhole ? 400 : first + 340)
            for place in changed { picks[place] = Int(random.next() % 5_000) }
            trees.append(Tree(picks: picks))
            bases.append(isWhole ? nil : (base, changed))
            contents.picks.formUnion(picks)
        }
        contents.ids = trees.map { oid(.tree, $0.content) }
        // Some come later than they were made.
        let order = trees.indices
            .map { ($0 % 7 == 3 ? $0 + Int.random(in: 0 ..< 500, using: &random) : $0, $0) }
            .sorted { $0 < $1 }.map(\.1)
        var offsets: [Int: UInt64] = [:]
        for number in order {
            if let (base, changed) = bases[number] {
                let delta = trees[number].delta(on: trees[base], changed: changed)
                if let offset = offsets[base], random.next() & 3 != 0 {
                    offsets[number] = contents.pack.delta(on: offset, delta)
                } else {
                    offsets[number] = contents.pack.delta(on: contents.ids[base], delta)
                }
                contents.deltaCount += 1
            } else {
                offsets[number] = contents.pack.whole(.tree, trees[number].content)
            }
        }
        return contents
    }

    @Test(arguments: [1, 2, 3]) func farBasesAreFoundAgain(threads: Int) throws {
        let scratch = try PackScratch()
        let contents = Self.contents(seed: UInt64(threads), count: 3_000)
        let bytes = contents.pack.finished()
        var options = PackIndexer.Options()
        options.threads = threads
        options.memory = 1
        let indexer = try PackIndexer(
            directory: scratch.directory, format: .sha1, options: options)
        var goes: Set<Int> = []
        for start in stride(from: 0, to: bytes.count, by: 1 << 16) {
            try indexer.append(Array(bytes[start ..< min(start + 1 << 16, bytes.count)]))
            goes.insert(indexer.progress.resolvedDeltas)
        }
        #expect(goes.contains { 0 < $0 && $0 < contents.deltaCount })
        let pack = try indexer.finish()
        #expect(indexer.progress.resolvedDeltas == contents.deltaCount)
        #expect(contents.ids.allSatisfy(pack.contains))
        #expect(pack.objectCount == contents.ids.count)
        let links = contents.picks.map { pick -> ObjectID in
            Tree.pool[pick].withUnsafeBytes { ObjectID(raw: $0, .sha1) }
        }
        let isSame = Set(pack.missingLinks) == Set(links)
        #expect(isSame, "other links than the trees'")
        let git = try #require(try scratch.gitIndex(bytes))
        #expect(pack.indexBytes() == git.index)
    }

    /// The middle of a delta that is too large to be held whole is no place to resolve at.
    @Test func aLargeDeltaArrivesWhileTheStoreIsFull() throws {
        let scratch = try PackScratch()
        var pack = PackBuilder()
        let base = pack.blob("base")
        func delta(_ count: Int, seed: UInt64) -> [UInt8] {
            let bytes = PackRandom.bytes(count, seed: seed)
            var delta = DeltaBuilder(base: 4, result: UInt64(count)).bytes
            for start in stride(from: 0, to: count, by: 127) {
                let literal = bytes[start ..< min(start + 127, count)]
                delta.append(UInt8(literal.count))
                delta += literal
            }
            return delta
        }
        for seed in 1 ... 60 { pack.delta(on: base, delta(200_000, seed: UInt64(seed))) }
        pack.delta(on: base, delta(12 << 20, seed: 99))
        for seed in 100 ... 130 { pack.delta(on: base, delta(200_000, seed: UInt64(seed))) }
        try scratch.expectSameAsGit(pack.finished()) { options in options.memory = 1 }
    }

    /// Chains that each go would have to make once more from their beginning.
    @Test func farLongChainsAreNotMadeAgainAndAgain() throws {
        let scratch = try PackScratch()
        var pack = PackBuilder()
        let size = 100_000
        var last = pack.whole(.blob, [UInt8](repeating: 0, count: size))
        // Each changes one byte of the one before.
        for number in 1 ... 200 {
            last = pack.delta(
                on: last,
                DeltaBuilder(base: UInt64(size), result: UInt64(size))
                    .copying(0, UInt32(number)).inserting([UInt8(number)])
                    .copying(UInt32(number + 1), UInt32(size - number - 1)).bytes)
        }
        for seed in 1 ... 300 {
            var delta = DeltaBuilder(base: UInt64(size), result: 150_000).bytes
            for start in stride(from: 0, to: 150_000, by: 100) {
                delta.append(100)
                delta += PackRandom.bytes(100, seed: UInt64(seed * 10_000 + start))
            }
            pack.delta(on: last, delta)
        }
        var options = PackIndexer.Options()
        options.memory = 1
        let indexer = try PackIndexer(
            directory: scratch.directory, format: .sha1, options: options)
        let bytes = pack.finished()
        var goes: Set<Int> = []
        for start in stride(from: 0, to: bytes.count, by: 1 << 16) {
            try indexer.append(Array(bytes[start ..< min(start + 1 << 16, bytes.count)]))
            goes.insert(indexer.progress.resolvedDeltas)
        }
        #expect(try indexer.finish().objectCount == 501)
        // 0, the first, and one in which the chain was made again.
        #expect((2 ... 3).contains(goes.count))
    }

    /// A base of an earlier go that is found damaged when it is needed once more.
    @Test func aPackThatChangesMeanwhileIsAnError() throws {
        let scratch = try PackScratch()
        let contents = Self.contents(seed: 4, count: 1_000)
        let bytes = contents.pack.finished()
        var options = PackIndexer.Options()
        options.memory = 1
        let indexer = try PackIndexer(
            directory: scratch.directory, format: .sha1, options: options)
        try indexer.append(Array(bytes.dropLast(20)))
        let name = try #require(try scratch.leftovers().first)
        let file = try #require(FileHandle(forWritingAtPath: "\(scratch.path)/\(name)"))
        try file.write(contentsOf: Data(repeating: 0xff, count: bytes.count - 20))
        try file.close()
        expectStoreError(.corrupt) {
            try indexer.append(Array(bytes.suffix(20)))
            _ = try indexer.finish()
        }
    }
}
