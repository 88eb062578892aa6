import GitCore
import Testing

@testable import GitStore

/// Packs of git's own with one thing wrong in them. Each gives an error; or, where what is changed
/// happens to make another pack that is right, every object has the id that git finds.
///
/// PackMalformedTests names the faults one by one, in packs made by hand.
@Suite struct DamagedPackTests {
    let scratch: PackScratch
    /// Commits, trees, blobs and a tag, of which some are deltas by offset or by id, in chains.
    let byOffset: [UInt8]
    let byID: [UInt8]

    init() throws {
        scratch = try PackScratch()
        try Self.createHistory(scratch)
        byOffset = try PackFixture.pack(scratch, "w", "--delta-base-offset")
        byID = try PackFixture.pack(scratch, "w")
    }

    static func createHistory(_ scratch: PackScratch) throws {
        try scratch.git("init", "-q", "-b", "main", "w")
        var stream = ""
        for number in 1 ... 3 as ClosedRange<UInt64> {
            let lines = (1 ... 9 as ClosedRange<UInt64>).map { line in
                "\(line &* 0x9e37_79b9_7f4a_7c15)\(line % 4 < number ? "!" : "")"
            }
            let text = lines.joined(separator: "\n")
            stream += "commit refs/heads/main\ncommitter C <c@x> \(1_700_000_000 + number) +0000\n"
            stream += "data 1\nm\nM 100644 inline file\ndata \(text.utf8.count)\n\(text)\n"
        }
        try scratch.git("fast-import", "--quiet", in: "w", input: Array(stream.utf8))
        try scratch.git("tag", "-a", "-m", "t", "v1", "main", in: "w")
    }

    /// Threads and memory vary from one pack to the next: what they change must not
    /// change the verdict.
    private func index(_ pack: [UInt8], _ number: Int, chunk: Int = 1 << 16) throws -> IndexedPack {
        try scratch.index(pack, chunk: chunk) { options in
            options.threads = 1 + number % 2
            options.memory = number / 2 % 2 == 0 ? 0 : 256 << 20
        }
    }

    /// Indexes each pack; says how many were taken, after comparing these with git's.
    @discardableResult
    private func damage(
        _ packs: some Sequence<[UInt8]>, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> (taken: Int, refused: Int) {
        var taken: [[UInt8]] = []
        var refused = 0
        for (number, pack) in packs.enumerated() {
            do {
                _ = try index(pack, number)
                taken.append(pack)
            } catch let error as StoreError {
                refused += 1
                #expect(
                    [.corrupt, .limit].contains(error.code), "\(error)",
                    sourceLocation: sourceLocation)
            }
        }
        #expect(try scratch.leftovers() == [], sourceLocation: sourceLocation)
        for pack in taken { try scratch.expectSameAsGit(pack, sourceLocation: sourceLocation) }
        return (taken.count, refused)
    }

    /// What the tests below rely on.
    @Test func packsHaveDeltasInChains() throws {
        try scratch.expectSameAsGit(byOffset)
        try scratch.expectSameAsGit(byID)
        let parts = try PackParts(byOffset)
        #expect(Set(parts.entries.map(\.type)) == [1, 2, 3, 4, 6])
        #expect(Set(try PackParts(byID).entries.map(\.type)) == [1, 2, 3, 4, 7])
        let isChained = parts.entries.contains { entry in
            if case .entry(let base) = entry.base { parts.entries[base].type == 6 } else { false }
        }
        #expect(isChained)
        try scratch.expectSameAsGit(parts.pack())
        #expect(parts.offsets.count == parts.entries.count)
    }

    // MARK: Bytes

    @Test func truncatedAtEveryLength() throws {
        for pack in [byOffset, byID] {
            for end in pack.indices {
                let cut = Array(pack[..<end])
                let chunk = end % 3 == 0 ? 7 : 1 << 16
                expectStoreError(.corrupt) { try index(cut, end, chunk: chunk) }
                // The trailer of what is there; only all of it makes a pack.
                guard end != pack.count - 20 else { continue }
                expectStoreError(.corrupt, .limit) { try index(PackBuilder.sealed(cut), end) }
            }
        }
        #expect(try scratch.leftovers() == [])
    }

    @Test(arguments: [0x01, 0x40, 0xff] as [UInt8]) func everyByteFlipped(mask: UInt8) throws {
        let pack = mask % 2 == 0 ? byOffset : byID
        let flipped = pack.indices.lazy.map { index in
            var flipped = pack
            flipped[index] ^= mask
            return flipped
        }
        let old = try damage(flipped)
        #expect(old.taken == 0)
        let new = try damage(flipped.lazy.dropLast(20).map { PackBuilder.resealed($0) })
        #expect(new.taken < 30)
    }

    // MARK: Fields

    @Test func versionAndCount() throws {
        let parts = try PackParts(byOffset)
        let count = UInt32(parts.entries.count)
        try damage([0, 1, 2, 3, 4, 0x0200_0000, .max].map { parts.pack(version: $0) })
        let counts: [UInt32] = [0, 1, count - 1, count + 1, count << 8, 1 << 31, .max]
        let wrong = try damage(counts.map { parts.pack(count: $0) })
        #expect(wrong.taken == 0)
    }

    private static let edges: [UInt64] = [
        0, 1, 15, 16, 127, 128, 1 << 11, 1 << 16, 1 << 22, 1 << 22 + 1, 1 << 31, 1 << 32, 1 << 40,
        1 << 60, .max,
    ]

    @Test func typesOfEntries() throws {
        let base = try #require(try PackParts(byID).entries.last { $0.type == 3 })
        let id = oid(.blob, base.content).rawBytes
        for pack in [byOffset, byID] {
            let parts = try PackParts(pack)
            let packs = parts.entries.indices.flatMap { number in
                (0 ..< 8 as Range<UInt8>).flatMap { type in
                    let bases: [PackParts.Base] = [.none, .distance(1), .oid(id)]
                    return (bases + [parts.entries[number].base]).map { base in
                        var changed = parts
                        changed.entries[number].type = type
                        changed.entries[number].base = base
                        return changed.pack()
                    }
                }
            }
            let verdict = try damage(packs)
            #expect(verdict.taken > 0 && verdict.refused > 0)
        }
    }

    @Test func sizesOfEntries() throws {
        let parts = try PackParts(byOffset)
        let packs = parts.entries.indices.flatMap { number in
            let size = parts.entries[number].size
            return (Self.edges + [size - 1, size + 1, size * 2]).filter { $0 != size }.map { size in
                var changed = parts
                changed.entries[number].size = size
                return changed.pack()
            }
        }
        #expect(try damage(packs).taken == 0)
    }

    @Test func distancesToBases() throws {
        let parts = try PackParts(byOffset)
        let offsets = parts.offsets
        let packs = parts.entries.indices.filter { parts.entries[$0].type == 6 }.flatMap { number in
            let own = offsets[number]
            let distances = offsets[..<number].flatMap { [own - $0 - 1, own - $0, own - $0 + 1] }
            return (Self.edges + distances + [own - 1, own, own + 1, own + 12]).map { distance in
                var changed = parts
                changed.entries[number].base = .distance(distance)
                return changed.pack()
            }
        }
        let verdict = try damage(packs)
        #expect(verdict.taken > 0 && verdict.refused > 0)
    }

    @Test func idsOfBases() throws {
        let parts = try PackParts(byID)
        let shown = try scratch.git("cat-file", "--batch-all-objects", "--batch-check", in: "w")
            .lines
        let all = try shown.map { line in
            try #require(ObjectID(hex: String(line.prefix(40)))).rawBytes
        }
        let none = [[UInt8](repeating: 0, count: 20), [UInt8](repeating: 0xff, count: 20)]
        let packs = parts.entries.indices.filter { parts.entries[$0].type == 7 }.flatMap { number in
            (all + none).map { id in
                var changed = parts
                changed.entries[number].base = .oid(id)
                return changed.pack()
            }
        }
        let verdict = try damage(packs)
        #expect(verdict.taken > 0 && verdict.refused > 0)
    }

    // MARK: Deltas

    /// The pack with each of its deltas changed in each way that `changes` gives.
    private func deltasChanged(
        _ pack: [UInt8], _ changes: (DeltaParts) -> [DeltaParts]
    ) throws -> [[UInt8]] {
        let parts = try PackParts(pack)
        return try parts.entries.indices.filter { parts.entries[$0].type >= 6 }.flatMap { number in
            try changes(DeltaParts(parts.entries[number].content)).map { delta in
                var changed = parts
                changed.entries[number].content = delta.bytes
                changed.entries[number].size = UInt64(delta.bytes.count)
                return changed.pack()
            }
        }
    }

    @Test func sizesInDeltas() throws {
        for pack in [byOffset, byID] {
            let packs = try deltasChanged(pack) { delta in
                let sizes = [delta.baseSize, delta.resultSize].flatMap { [$0 - 1, $0 + 1] }
                return (Self.edges + sizes).flatMap { size in
                    var (base, result) = (delta, delta)
                    base.baseSize = size
                    result.resultSize = size
                    return [base, result].filter {
                        $0.baseSize != delta.baseSize || $0.resultSize != delta.resultSize
                    }
                }
            }
            #expect(try damage(packs).taken == 0)
        }
    }

    @Test func argumentsOfCopiesAndInserts() throws {
        for pack in [byOffset, byID] {
            let packs = try deltasChanged(pack) { delta in
                delta.instructions.indices.flatMap { number in
                    Self.changes(delta.instructions[number], delta).flatMap { instruction in
                        var changed = delta
                        changed.instructions[number] = instruction
                        var fitting = changed
                        fitting.resultSize = changed.made
                        return changed.made == delta.made ? [changed] : [changed, fitting]
                    }
                }
            }
            let verdict = try damage(packs)
            #expect(verdict.taken > 0 && verdict.refused > 0)
        }
    }

    private static func changes(
        _ instruction: DeltaParts.Instruction, _ delta: DeltaParts
    ) -> [DeltaParts.Instruction] {
        switch instruction {
        case .copy(let offset, let size):
            let end = UInt32(delta.baseSize)
            let offsets = [0, 1, offset &+ 1, end - 1, end, end + 1, end - size, 1 << 24, .max]
            let sizes = [1, size - 1, size + 1, end, end + 1, 0x10000, 0xff_ffff]
            return offsets.map { .copy(offset: $0, size: size) }
                + sizes.map { .copy(offset: offset, size: $0) }
                + [.copy(offset: .max, size: 0xff_ffff), .raw([0x80]), .raw([0xff, 0])]
        case .insert(let literal):
            let last = literal.last ?? 0
            return [
                .insert(Array(literal.dropLast())), .insert(literal + [last]), .raw([0]),
                .raw([127] + literal), .raw([UInt8(literal.count + 1)] + literal),
                .raw([UInt8(literal.count - 1)] + literal),
            ]
        case .raw: return []
        }
    }
}
