// Indexes of packs: opened, every row asked, and the objects of a real pack read through them. An
// input:
//
//     1 byte     bit 0: make the hash at the end right; bit 1: make the fan-out right; bit 2: give the
//                trailer of the real pack; bit 3: SHA-256
//     the index
//
// Where the index verifies, each of its ids must be found.

import FuzzSupport
import GitCore

@testable import GitStore

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    guard let choices = input.first else { return 0 }
    IndexTarget.shared.run(Array(input.dropFirst()), choices)
    return 0
}

struct IndexTarget {
    static let shared = IndexTarget()

    private let directory: ByteString
    /// A real pack, whose index is among the inputs to begin with.
    private let pack: [UInt8]

    private init() {
        directory = ByteString(scratchObjects()) / "pack"
        let path = environment("APUS_FUZZ_PACK")
        pack = path.flatMap { try? FileSystem.read(ByteString($0), limit: 1 << 20) } ?? []
        write(pack, "a.pack")
    }

    private func write(_ bytes: [UInt8], _ name: ByteString) {
        do { try IndexedPack.write(bytes, to: directory / name, mode: 0o600) } catch {
            fatalError("\(error)")
        }
    }

    func run(_ input: [UInt8], _ choices: UInt8) {
        let format: ObjectFormat = choices & 8 != 0 ? .sha256 : .sha1
        write(repaired(input, choices, format), "a.idx")
        check { () throws(StoreError) in
            let index = try PackIndexFile(directory / "a.idx", format)
            let offsets = askRows(index)
            ask(index)
            try index.verify()
            expectAllFound(index)
            let order = try index.rowsInPackOrder()
            expect(order.map(\.offset) == offsets.compactMap { $0 }.sorted(), "order of offsets")
        }
        check { () throws(StoreError) in
            let pack = Pack(directory / "a", format, OpenPacks())
            _ = try pack.end()
            try readAll(pack)
        }
    }

    private func check(_ body: () throws(StoreError) -> Void) {
        do throws(StoreError) { try body() } catch {
            expect([.corrupt, .limit].contains(error.code), "refused with \(error)")
            expect(!error.message.utf8.contains { $0 < 0x20 }, "message: \(error.message)")
        }
    }

    // MARK: Asking

    private func askRows(_ index: PackIndexFile) -> [UInt64?] {
        (0 ..< index.count).map { row in
            _ = index.oid(row: row)
            _ = index.crc(row: row)
            var offset: UInt64?
            check { () throws(StoreError) in offset = try index.offset(row: row) }
            return offset
        }
    }

    private func ask(_ index: PackIndexFile) {
        for byte in [0, 1, 0x7f, 0x80, 0xfe, 0xff] as [UInt8] {
            let raw = [UInt8](repeating: byte, count: index.format.byteCount)
            let oid = ObjectID(raw: raw.span, index.format)
            expect(
                (0 ... index.count).contains(index.oids.firstRow(notBefore: oid)),
                "row out of range")
            if let row = index.row(of: oid) { expect(index.oid(row: row) == oid, "another row") }
        }
        for row in 0 ..< index.count {
            let oid = index.oid(row: row)
            if let found = index.row(of: oid) { expect(index.oid(row: found) == oid, "another") }
        }
        _ = index.packTrailer
        check { () throws(StoreError) in _ = try index.rowsInPackOrder() }
    }

    private func expectAllFound(_ index: PackIndexFile) {
        for row in 0 ..< index.count {
            let oid = index.oid(row: row)
            let found = index.row(of: oid)
            expect(found.map(index.oid) == oid, "row \(row) is in a verified index, but not found")
        }
    }

    private func readAll(_ pack: Pack) throws(StoreError) {
        let index = try pack.index()
        let tools = ReadingTools(DeltaBaseCache(budget: 1 << 16, shards: 1))
        for row in 0 ..< index.count {
            check { () throws(StoreError) in
                let offset = try index.offset(row: row)
                let header = try pack.header(at: offset, tools)
                let object = try pack.object(at: offset, tools)
                expect(header.kind == object.kind, "kind")
                expect(header.size == UInt64(object.content.count), "size")
                let entry = try pack.entry(at: offset, tools)
                guard case .none = entry.header.base else { return }
                var size = 0
                try pack.stream(entry, tools) { size += $0.count }
                expect(size == object.content.count, "size of the stream")
            }
        }
    }

    // MARK: Repairs

    private func repaired(_ input: [UInt8], _ choices: UInt8, _ format: ObjectFormat) -> [UInt8] {
        let width = format.byteCount
        let tables = 8 + 1_024
        guard input.count >= tables + 2 * width else { return input }
        var bytes = input
        if choices & 2 != 0 { repairFanOut(&bytes, width) }
        if choices & 4 != 0, format == .sha1 {
            bytes.replaceSubrange(bytes.count - 40 ..< bytes.count - 20, with: pack.suffix(20))
        }
        if choices & 1 != 0 {
            var hasher = PlainHasher(format)
            hasher.update(Array(bytes.dropLast(width)))
            bytes.replaceSubrange(
                bytes.count - width ..< bytes.count, with: hasher.finalize().rawBytes)
        }
        return bytes
    }

    /// Makes the fan-out one of as many ids as there is room for, counting their first bytes.
    private func repairFanOut(_ bytes: inout [UInt8], _ width: Int) {
        let tables = 8 + 1_024
        let count = (bytes.count - tables - 2 * width) / (width + 8)
        var totals = [UInt32](repeating: 0, count: 256)
        for row in 0 ..< count { totals[Int(bytes[tables + row * width])] += 1 }
        var total: UInt32 = 0
        for first in 0 ..< 256 {
            total += totals[first]
            let place = 8 + 4 * first
            bytes.replaceSubrange(
                place ..< place + 4, with: withUnsafeBytes(of: total.bigEndian) { Array($0) })
        }
    }
}
