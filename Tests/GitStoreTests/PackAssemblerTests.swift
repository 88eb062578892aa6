import Synchronization
import Testing

@testable import GitCore
@testable import GitStore

@Suite struct PackAssemblerTests {
    private func build(
        _ objects: ObjectDatabase, _ configure: (inout PackRequest) throws -> Void
    ) throws -> (pack: [UInt8], summary: PackSummary) {
        var request = PackRequest()
        try configure(&request)
        var pack: [UInt8] = []
        let summary = try PackAssembler(request, from: objects).run { piece throws(StoreError) in
            pack += piece
        }
        return (pack, summary)
    }

    private func history(
        _ format: ObjectFormat = .sha1
    ) throws -> (scratch: PackScratch, objects: ObjectDatabase, tip: ObjectID) {
        let scratch = try PackScratch()
        try PackFixture.history(scratch, format: format)
        // fast-import made a pack; here all is loose.
        let pack = "w/.git/objects/pack"
        for name in try scratch.list(pack) where name.hasSuffix(".pack") {
            let bytes = try scratch.read("\(pack)/\(name)")
            for other in try scratch.list(pack) {
                try FileSystem.remove(scratch["\(pack)/\(other)"])
            }
            try scratch.git("unpack-objects", "-q", in: "w", input: bytes)
        }
        let tip = try #require(ObjectID(hex: scratch.git("rev-parse", "main", in: "w").line))
        let objects = try ObjectDatabase(
            objectsDirectory: scratch["w/.git/objects"], format: format)
        return (scratch, objects, tip)
    }

    @Test(arguments: ObjectFormat.allCases) func isAPackThatCanBeIndexed(
        format: ObjectFormat
    ) throws {
        let (scratch, objects, tip) = try history(format)
        for usesOffsetDeltas in [true, false] {
            let (pack, summary) = try build(objects) {
                $0.wants = [tip]
                $0.usesOffsetDeltas = usesOffsetDeltas
            }
            #expect(summary.bytes == UInt64(pack.count))
            #expect(summary.deltas > 0)
            let indexed = try scratch.expectSameAsGit(pack, format: format)
            #expect(indexed.trailer == summary.trailer)
            // The types of OFS_DELTA and REF_DELTA.
            let types = try entryTypes(pack, format)
            #expect(types.contains(usesOffsetDeltas ? 6 : 7))
            #expect(!types.contains(usesOffsetDeltas ? 7 : 6))
        }
    }

    private func entryTypes(_ pack: [UInt8], _ format: ObjectFormat) throws -> Set<UInt8> {
        let scratch = try PackScratch()
        let indexed = try scratch.index(pack, format: format)
        return Set(
            (0 ..< indexed.table.count).map { pack[Int(indexed.table.offsets[$0])] >> 4 & 7 })
    }

    @Test func isTheSameWithAnyNumberOfThreads() throws {
        let (scratch, objects, tip) = try history()
        defer { withExtendedLifetime(scratch) {} }
        let packs = try [1, 2, 5].map { threads in
            try build(objects) {
                $0.wants = [tip]
                $0.threads = threads
            }.pack
        }
        #expect(packs[0] == packs[1])
        #expect(packs[0] == packs[2])
    }

    @Test func stopsWhenItIsCancelledAndWhenTheSinkFails() throws {
        let (scratch, objects, tip) = try history()
        defer { withExtendedLifetime(scratch) {} }
        var request = PackRequest()
        request.wants = [tip]
        let cancelled = PackAssembler(request, from: objects)
        cancelled.cancel()
        expectStoreError(.cancelled) { try cancelled.run { _ throws(StoreError) in } }
        expectStoreError(.limit) {
            try PackAssembler(request, from: objects).run { _ throws(StoreError) in
                throw StoreError(.limit, "full")
            }
        }
    }

    @Test func tellsHowFarItIs() throws {
        let (scratch, objects, tip) = try history()
        defer { withExtendedLifetime(scratch) {} }
        var request = PackRequest()
        request.wants = [tip]
        let builder = PackAssembler(request, from: objects)
        #expect(builder.progress.totalObjects == nil)
        let summary = try builder.run { _ throws(StoreError) in }
        #expect(builder.progress.totalObjects == summary.objects)
        #expect(builder.progress.writtenObjects == summary.objects)
        #expect(builder.progress.writtenBytes == Int(summary.bytes))
        #expect(builder.progress.triedCandidates == builder.progress.deltaCandidates)
    }

    /// A chain of deltas is never longer than asked for.
    @Test(arguments: [1, 2, 3]) func keepsToTheDepth(depth: Int) throws {
        let (scratch, objects, tip) = try history()
        let (pack, _) = try build(objects) {
            $0.wants = [tip]
            $0.depth = depth
        }
        try scratch.write(pack, to: "d.pack")
        try scratch.git("index-pack", "d.pack")
        let lines = try scratch.git("verify-pack", "-v", "d.idx").lines
        let depths = lines.compactMap { line -> Int? in
            let fields = line.split(separator: " ")
            return fields.count == 7 ? Int(fields[5]) : nil
        }
        #expect(depths.max() == depth)
    }

    @Test func namesWhatIsMissing() throws {
        let (scratch, objects, _) = try history()
        defer { withExtendedLifetime(scratch) {} }
        let missing = try #require(ObjectID(hex: String(repeating: "ab", count: 20)))
        for path in [\PackRequest.wants, \PackRequest.haves] {
            let message = expectStoreError(.notFound) {
                try build(objects) { $0[keyPath: path] = [missing] }
            }
            #expect(message.contains(missing.hex))
        }
    }

    /// Objects too large to hold are deflated piece by piece.
    @Test func writesLargeObjects() throws {
        let (scratch, objects, _) = try history()
        let large = [UInt8](repeating: 7, count: Int(Pack.largeSize) + 12_345)
        let oid = try objects.write(.blob, large)
        let (pack, _) = try build(objects) { $0.wants = [oid] }
        let indexed = try scratch.index(pack)
        #expect(indexed.table.count == 1)
        #expect(indexed.table.objectID(row: 0) == oid)
    }

    @Test func numbersManyObjects() throws {
        let objects = ReachedObjects(.sha256)
        var random = PackRandom(state: 3)
        var oids: [ObjectID] = []
        for _ in 0 ..< 20_000 {
            let bytes = (0 ..< 32).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            oids.append(ObjectID(raw: bytes.span, .sha256))
        }
        for (number, oid) in oids.enumerated() { #expect(objects.number(of: oid) == number) }
        for (number, oid) in oids.enumerated() {
            #expect(objects.number(of: oid) == number)
            #expect(objects.find(oid) == number)
            #expect(objects.oid(number) == oid)
        }
        #expect(objects.find(.zero(.sha256)) == nil)
        #expect(objects.count == 20_000)
    }
}
