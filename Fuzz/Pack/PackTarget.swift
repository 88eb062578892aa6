// Packs. What PackIndexer takes must be taken by a second reading, of another kind: each object read
// back through the index that was written, its id made anew with the plain hash, and the whole
// verified against the index. What it refuses it must refuse with an error for that, and leave no file.

import FuzzSupport
import GitCore

@testable import GitStore

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = PackInput(Array(UnsafeBufferPointer(start: start, count: count)))
    if let path = environment("APUS_FUZZ_WRITE"), !path.isEmpty {
        write(input.pack, to: ByteString(path))
    }
    PackTarget.shared.run(input)
    return 0
}

private func write(_ bytes: [UInt8], to path: ByteString) {
    do { try IndexedPack.write(bytes, to: path, mode: 0o644) } catch { fatalError("\(error)") }
}

struct PackTarget {
    static let shared = PackTarget()

    /// An `objects` directory of this process.
    private let objects: ByteString
    /// Where thin packs find their bases.
    private let bases: ObjectDatabase?

    private init() {
        objects = ByteString(scratchObjects())
        bases = environment("APUS_FUZZ_OBJECTS").flatMap {
            try? ObjectDatabase(objectsDirectory: ByteString($0), format: .sha1)
        }
    }

    func run(_ input: PackInput) {
        let verdict = index(input, input.options(bases), way: input.waysOfFeeding.0) { pack in
            readBack(pack, input)
        }
        // Limits on memory are reached or not as threads happen to meet.
        guard input.readsTwice, !input.hasSmallLimits else { return }
        let other = index(input, input.otherOptions(bases), way: input.waysOfFeeding.1) { _ in }
        expect(verdict == other, "taken in one way of reading only, or as something else")
    }

    /// The bytes of the index, or nil where the pack is refused.
    private func index(
        _ input: PackInput, _ options: PackIndexer.Options, way: UInt8,
        _ check: (IndexedPack) -> Void
    ) -> [UInt8]? {
        var index: [UInt8]?
        do throws(StoreError) {
            let pack = try indexed(input, options, way)
            index = pack.indexBytes()
            check(pack)
        } catch {
            expect([.corrupt, .limit].contains(error.code), "refused with \(error)")
            expectOneLine(error.message)
        }
        let left = (try? FileSystem.list(objects / "pack")) ?? []
        expect(left.isEmpty, "left behind: \(left)")
        return index
    }

    private func indexed(
        _ input: PackInput, _ options: PackIndexer.Options, _ way: UInt8
    ) throws(StoreError) -> IndexedPack {
        let indexer = try PackIndexer(
            directory: objects / "pack", format: input.format, options: options)
        for piece in pieces(input.pack, way: way) { try indexer.append(piece) }
        return try indexer.finish()
    }

    private func expectOneLine(_ message: String) {
        expect(!message.utf8.contains { $0 < 0x20 || $0 == 0x7f }, "message: \(message)")
    }

    // MARK: The second reading

    private func readBack(_ indexed: IndexedPack, _ input: PackInput) {
        let declared = input.pack[8 ..< 12].reduce(0) { $0 << 8 | Int($1) }
        expect(indexed.objectCount == declared + indexed.addedBases, "another number of objects")
        let base = objects / "pack" / ByteString("pack-\(indexed.trailer.hex)")
        do throws(StoreError) {
            try indexed.install(in: objects / "pack")
            try readAll(Pack(base, input.format, OpenPacks()), input.format)
            let reports = try PackVerifier(base, input.format, threads: 1).verify()
            expect(reports.count == indexed.objectCount, "verified another number of objects")
        } catch {
            fatalError("taken, but not read back: \(error)")
        }
        for ending in [".pack", ".idx", ".rev"] as [ByteString] {
            try? FileSystem.remove(base + ending)
        }
    }

    private func readAll(_ pack: Pack, _ format: ObjectFormat) throws(StoreError) {
        let index = try pack.index()
        let tools = ReadingTools(DeltaBaseCache(budget: 1 << 16, shards: 1))
        let oids = (0 ..< index.count).map { index.oid(row: $0) }
        let hasTwins = Set(oids).count < oids.count
        for (row, oid) in oids.enumerated() {
            let offset = try index.offset(row: row)
            do throws(StoreError) {
                try read(pack, offset, oid, format, tools)
            } catch {
                // The id of a base may lead to a twin that is based on this very object.
                guard hasTwins, error.message.contains("based on itself") else { throw error }
            }
        }
    }

    private func read(
        _ pack: Pack, _ offset: UInt64, _ oid: ObjectID, _ format: ObjectFormat,
        _ tools: ReadingTools
    ) throws(StoreError) {
        let object = try pack.object(at: offset, tools)
        var hasher = PlainHasher(format)
        hasher.update(Array("\(object.kind.name) \(object.content.count)\0".utf8))
        hasher.update(object.content)
        expect(hasher.finalize() == oid, "object \(oid) reads as another")
        let header = try pack.header(at: offset, tools)
        expect(header.kind == object.kind, "kind of \(oid)")
        expect(header.size == UInt64(object.content.count), "size of \(oid)")
        let entry = try pack.entry(at: offset, tools)
        guard case .none = entry.header.base else { return }
        var streamed: [UInt8] = []
        try pack.stream(entry, tools) { streamed.append(contentsOf: $0) }
        expect(streamed == object.content, "stream of \(oid)")
    }
}
