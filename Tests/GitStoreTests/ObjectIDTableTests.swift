import Testing

@testable import GitCore
@testable import GitStore

/// Looking ids up in tables whose ids are spread evenly, in heaps, or share their first bytes.
@Suite struct ObjectIDTableTests {
    private func table(_ ids: [[UInt8]]) throws -> (PackScratch, ObjectIDTable) {
        let scratch = try PackScratch()
        var bytes: [UInt8] = []
        for first in 0 ..< 256 {
            let total = UInt32(ids.count { Int($0[0]) <= first })
            withUnsafeBytes(of: total.bigEndian) { bytes += $0 }
        }
        for id in ids { bytes += id }
        try scratch.write(bytes + [0], to: "t")
        let table = ObjectIDTable(
            try MappedFile(scratch["t"]), .sha1, count: ids.count, fanOut: 0,
            start: ObjectIDTable.fanOutLength, stride: 20)
        return (scratch, table)
    }

    private func expectRows(_ ids: Set<[UInt8]>) throws {
        let sorted = ids.sorted { $0.lexicographicallyPrecedes($1) }
        let (_, table) = try table(sorted)
        for (row, id) in sorted.enumerated() {
            let oid = ObjectID(raw: id.span, .sha1)
            #expect(table.row(of: oid) == row)
            #expect(table.firstRow(notBefore: oid) == row)
            // The next id up, and the next one down.
            for step in [1, -1] {
                var near = id
                near[19] = UInt8(truncatingIfNeeded: Int(near[19]) + step)
                let expected = sorted.firstIndex { !$0.lexicographicallyPrecedes(near) }
                let first = near[0]
                let end = sorted.firstIndex { $0[0] > first } ?? sorted.count
                #expect(
                    table.firstRow(notBefore: ObjectID(raw: near.span, .sha1))
                        == min(expected ?? sorted.count, end))
                if !ids.contains(near) {
                    #expect(table.row(of: ObjectID(raw: near.span, .sha1)) == nil)
                }
            }
        }
    }

    @Test func findsIDsThatAreSpreadEvenly() throws {
        let bytes = PackRandom.bytes(20 * 600)
        try expectRows(
            Set(stride(from: 0, to: bytes.count, by: 20).map { Array(bytes[$0 ..< $0 + 20]) }))
    }

    @Test func findsIDsOfOneFirstByte() throws {
        let bytes = PackRandom.bytes(19 * 500)
        try expectRows(
            Set(stride(from: 0, to: bytes.count, by: 19).map { [7] + bytes[$0 ..< $0 + 19] }))
    }

    @Test func findsIDsThatShareTheirFirstBytes() throws {
        var ids: Set<[UInt8]> = []
        for number in 0 ..< 300 {
            var id = [UInt8](repeating: number % 3 == 0 ? 0x80 : 0xff, count: 20)
            id[0] = 9
            id[18] = UInt8(number >> 8)
            id[19] = UInt8(truncatingIfNeeded: number)
            ids.insert(id)
        }
        for number in 0 ..< 200 {
            ids.insert([9] + PackRandom.bytes(19, seed: UInt64(number)))
        }
        try expectRows(ids)
    }
}
