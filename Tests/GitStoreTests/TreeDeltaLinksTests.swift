import GitCore
import Testing

@testable import GitStore

/// The links of a tree that a delta made, found from what the delta changes: always those that reading
/// the whole tree finds, and the same error where the tree is malformed.
@Suite struct TreeDeltaLinksTests {
    // MARK: Both ways

    /// All that is noted of a base and a tree made from it, where its entries begin, or the error.
    private struct Found: Equatable {
        var links: [ObjectID] = []
        var starts: [UInt32]?
        var error: ParseError?
    }

    private func found(
        _ format: ObjectFormat, _ body: (LinkCollector) throws -> TreeStarts?
    ) rethrows -> Found {
        let set = ObjectIDSet(format)
        var found = Found()
        do {
            found.starts = try body(LinkCollector(format, into: set))?.offsets
        } catch let error as ParseError { found.error = error }
        found.links = set.subtracting(UnsafeRawBufferPointer(start: nil, count: 0))
        return found
    }

    private func plain(
        _ base: [UInt8], _ result: [UInt8], _ format: ObjectFormat
    ) throws -> Found {
        try found(format) { collector in
            try base.withUnsafeBytes { try collector.collect(.tree, $0) }
            return try result.withUnsafeBytes { result in
                try collector.collect(.tree, result)
                return try collector.starts(.tree, result)
            }
        }
    }

    private func byDelta(
        _ base: [UInt8], _ delta: [UInt8], _ format: ObjectFormat, keepsStarts: Bool
    ) throws -> (found: Found, result: [UInt8]) {
        var result: [UInt8] = []
        let found = try found(format) { collector in
            try delta.withUnsafeBytes { bytes in
                let delta = try Delta(parsing: bytes)
                result = [UInt8](repeating: 0xee, count: Int(delta.resultSize))
                try base.withUnsafeBytes { base in
                    try result.withUnsafeMutableBytes { try delta.apply(to: base, into: $0) }
                }
                let starts = try base.withUnsafeBytes { base in
                    try collector.collect(.tree, base)
                    return try collector.starts(.tree, base)
                }
                return try result.withUnsafeBytes {
                    try collector.collect(
                        .tree, $0, delta: delta, on: starts, keepsStarts: keepsStarts)
                }
            }
        }
        return (found, result)
    }

    /// Whether the tree was well-formed.
    @discardableResult
    private func expectSame(
        _ base: [UInt8], _ delta: [UInt8], _ format: ObjectFormat = .sha1,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Bool {
        let (kept, result) = try byDelta(base, delta, format, keepsStarts: true)
        let (leaf, _) = try byDelta(base, delta, format, keepsStarts: false)
        var expected = try plain(base, result, format)
        #expect(kept == expected, sourceLocation: sourceLocation)
        expected.starts = nil
        #expect(leaf == expected, sourceLocation: sourceLocation)
        return expected.error == nil
    }

    // MARK: Trees and deltas

    private func tree(
        _ random: inout PackRandom, _ count: Int, _ format: ObjectFormat
    ) -> [[UInt8]] {
        let modes = ["100644", "100755", "120000", "160000", "40000", "100664"]
        // Names and ids in which entries seem to begin.
        let bait = ["100644 ", "40000 ", "160000 x", " ", "1", "40000 40000 "]
        return (0 ..< count).map { _ in
            let mode = modes.randomElement(using: &random) ?? ""
            var name = (0 ..< Int.random(in: 1 ... 20, using: &random)).map { _ in
                UInt8.random(in: 1 ... 255, using: &random)
            }
            if Int.random(in: 0 ..< 3, using: &random) == 0 {
                name = Array((bait.randomElement(using: &random) ?? "").utf8) + name
            }
            var id = (0 ..< format.byteCount).map { _ in UInt8.random(in: 0 ... 255, using: &random)
            }
            if Int.random(in: 0 ..< 3, using: &random) == 0 {
                let text = Array("100644 a\0".utf8)
                let place = Int.random(in: 0 ... id.count - text.count, using: &random)
                id.replaceSubrange(place ..< place + text.count, with: text)
            }
            return Array("\(mode) ".utf8) + name + [0] + id
        }
    }

    /// The instructions that make `result`: each byte is copied from where `source` says it stood in
    /// the base, or inserted.
    private func delta(
        _ base: [UInt8], _ result: [(byte: UInt8, source: Int?)], cutting: Int?,
        _ random: inout PackRandom
    ) -> [UInt8] {
        var builder = DeltaBuilder(base: UInt64(base.count), result: UInt64(result.count))
        var index = 0
        while index < result.count {
            var end = index + 1
            // Now and then an instruction ends although the next byte would still belong to it.
            func goesOn() -> Bool {
                if let cutting, Int.random(in: 0 ..< cutting, using: &random) == 0 { return false }
                guard end < result.count else { return false }
                guard let source = result[index].source else {
                    return result[end].source == nil && end - index < 127
                }
                return result[end].source == source + (end - index) && end - index < 0xffff
            }
            while goesOn() { end += 1 }
            if let source = result[index].source {
                builder = builder.copying(UInt32(source), UInt32(end - index))
            } else {
                builder = builder.inserting(result[index ..< end].map(\.byte))
            }
            index = end
        }
        return builder.bytes
    }

    private typealias Sourced = (byte: UInt8, source: Int?)

    /// Entries of the base, some changed in part, left out, moved, doubled, or new.
    private func edited(
        _ entries: [[UInt8]], _ format: ObjectFormat, _ random: inout PackRandom
    ) -> [Sourced] {
        var out: [Sourced] = []
        var start = 0
        var parts: [[Sourced]] = entries.map { entry in
            defer { start += entry.count }
            return entry.enumerated().map { ($1, start + $0) }
        }
        if Int.random(in: 0 ..< 4, using: &random) == 0 { parts.shuffle(using: &random) }
        for part in parts {
            switch Int.random(in: 0 ..< 12, using: &random) {
            case 0, 5: continue
            case 1: out += part + part
            case 2: out += tree(&random, 1, format)[0].map { ($0, nil) }
            case 3:
                // Another id, all of it or in part.
                let kept = part.count - Int.random(in: 1 ... format.byteCount, using: &random)
                out += part[..<kept]
                out += part[kept...].map { ($0.byte &+ 1, nil) }
            case 4:
                // The same bytes, but inserted.
                let first = Int.random(in: 0 ..< part.count, using: &random)
                let last = Int.random(in: first ..< part.count, using: &random)
                out += part[..<first]
                out += part[first ... last].map { ($0.byte, nil) }
                out += part[(last + 1)...]
            default: out += part
            }
        }
        return out
    }

    // MARK: Tests

    @Test(arguments: ObjectFormat.allCases) func editedTrees(format: ObjectFormat) throws {
        var random = PackRandom(state: 3)
        for round in 0 ..< 1_500 {
            let entries = tree(&random, Int.random(in: 0 ... 40, using: &random), format)
            let result = edited(entries, format, &random)
            let base = entries.flatMap { $0 }
            let delta = delta(base, result, cutting: round % 3 == 0 ? 30 : nil, &random)
            guard delta.count >= 4 else { continue }
            let isRight = try expectSame(base, delta, format)
            #expect(isRight)
        }
    }

    /// Copies from anywhere to anywhere: nearly all of these trees are malformed, somewhere.
    @Test func copiesOfAnything() throws {
        var random = PackRandom(state: 4)
        var count = 0
        for _ in 0 ..< 3_000 {
            let entries = tree(&random, Int.random(in: 1 ... 12, using: &random), .sha1)
            let base = entries.flatMap { $0 }
            var edges = [0]
            for entry in entries { edges.append(edges[edges.count - 1] + entry.count) }
            var result: [Sourced] = []
            for _ in 0 ..< Int.random(in: 1 ... 6, using: &random) {
                // Most copies begin where an entry does, or some bytes from there.
                let edge = edges.randomElement(using: &random) ?? 0
                let isNear = Int.random(in: 0 ..< 4, using: &random) == 0
                let shift = isNear ? Int.random(in: -30 ... 30, using: &random) : 0
                let start = min(max(edge + shift, 0), base.count - 1)
                let end = edges.filter { $0 > start }.randomElement(using: &random) ?? base.count
                result += (start ..< end).map { (base[$0], $0) }
            }
            let delta = delta(base, result, cutting: 40, &random)
            if try expectSame(base, delta) { count += 1 }
        }
        // Both happen.
        #expect(count > 300 && count < 2_700)
    }

    /// A name that looks like an entry: a copy that begins in it makes another entry of its bytes.
    @Test func copiesThatBeginInsideAnEntry() throws {
        let id = Array(repeating: 7, count: 20) as [UInt8]
        let other = Array(repeating: 9, count: 20) as [UInt8]
        let base =
            Array("100644 160000 100644 40000 x\0".utf8) + id + Array("100644 y\0".utf8) + other
        for start in [0, 7, 14, 21] {
            let count = base.count - start
            let copy = DeltaBuilder(base: UInt64(base.count), result: UInt64(count))
                .copying(UInt32(start), UInt32(count))
            let isRight = try expectSame(base, copy.bytes)
            #expect(isRight)
        }
        // The same in front of the whole base.
        for start in [7, 14, 21] {
            let count = base.count - start
            let twice = DeltaBuilder(base: UInt64(base.count), result: UInt64(count + base.count))
                .copying(UInt32(start), UInt32(count)).copying(0, UInt32(base.count))
            let isRight = try expectSame(base, twice.bytes)
            #expect(isRight)
        }
    }

    @Test func entriesOfCopiesOfAGitlinkBecomeLinksWhereItsModeChanges() throws {
        let id = oid(blob: "of a module").rawBytes
        let base =
            Array("160000 m\0".utf8) + id + Array("100644 n\0".utf8) + oid(blob: "n").rawBytes
        let count = UInt32(base.count)
        let delta = DeltaBuilder(base: UInt64(base.count), result: UInt64(base.count))
            .inserting(Array("100644".utf8)).copying(6, count - 6)
        let (found, _) = try byDelta(base, delta.bytes, .sha1, keepsStarts: false)
        #expect(found.links == [oid(blob: "of a module"), oid(blob: "n")].sorted())
        try expectSame(base, delta.bytes)
    }

    @Test func treesCutShortAreRefusedAtEveryLength() throws {
        var random = PackRandom(state: 5)
        let base = tree(&random, 4, .sha1).flatMap { $0 }
        var whole = 0
        for count in 1 ..< base.count {
            let result = (0 ..< count).map { (base[$0], Optional($0)) }
            if try expectSame(base, delta(base, result, cutting: nil, &random)) { whole += 1 }
        }
        #expect(whole == 3)
    }

    /// Each entry of a long chain of trees is looked at once.
    @Test func chains() throws {
        var random = PackRandom(state: 6)
        var entries = tree(&random, 60, .sha1)
        var base = entries.flatMap { $0 }
        let plain = ObjectIDSet(.sha1)
        let reader = LinkCollector(.sha1, into: plain)
        let set = ObjectIDSet(.sha1)
        let collector = LinkCollector(.sha1, into: set)
        try base.withUnsafeBytes { try reader.collect(.tree, $0) }
        var starts = try base.withUnsafeBytes { content in
            try collector.collect(.tree, content)
            return try collector.starts(.tree, content)
        }
        var length = 0
        for _ in 0 ..< 200 {
            let result = edited(entries, .sha1, &random)
            guard !result.isEmpty else { break }
            let bytes = delta(base, result, cutting: 50, &random)
            let content = result.map(\.byte)
            try bytes.withUnsafeBytes { bytes in
                let delta = try Delta(parsing: bytes)
                try content.withUnsafeBytes { content in
                    starts = try collector.collect(
                        .tree, content, delta: delta, on: starts, keepsStarts: true)
                    try reader.collect(.tree, content)
                    #expect(try starts?.offsets == reader.starts(.tree, content)?.offsets)
                }
            }
            base = content
            let edges = (starts?.offsets ?? []).map { Int($0) }
            entries = zip(edges, edges.dropFirst()).map { Array(base[$0 ..< $1]) }
            length += 1
            if entries.count > 400 { break }
        }
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        #expect(set.subtracting(none) == plain.subtracting(none))
        #expect(length > 20)
    }

    /// Without the base's links noted, as with one that a thin pack lacks, all are noted.
    @Test func baseThatIsNotNoted() throws {
        let base = Array("100644 a\0".utf8) + oid(blob: "a").rawBytes
        let delta = DeltaBuilder(base: UInt64(base.count), result: UInt64(base.count))
            .copying(0, UInt32(base.count))
        let found = try found(.sha1) { collector in
            try delta.bytes.withUnsafeBytes { bytes in
                let delta = try Delta(parsing: bytes)
                return try base.withUnsafeBytes {
                    try collector.collect(.tree, $0, delta: delta, on: nil, keepsStarts: true)
                }
            }
        }
        #expect(found == Found(links: [oid(blob: "a")], starts: [0, UInt32(base.count)]))
    }

    @Test func whatIsNoTreeHasNoStarts() throws {
        let tag = Array("object \(oid(blob: "a"))\ntype blob\ntag t\n\n".utf8)
        let delta = DeltaBuilder.appending("m", to: tag.count)
        let found = try found(.sha1) { collector in
            try delta.withUnsafeBytes { bytes in
                let delta = try Delta(parsing: bytes)
                return try (tag + [0x6d]).withUnsafeBytes {
                    #expect(try collector.starts(.tag, $0) == nil)
                    return try collector.collect(.tag, $0, delta: delta, on: nil, keepsStarts: true)
                }
            }
        }
        #expect(found == Found(links: [oid(blob: "a")]))
    }
}
