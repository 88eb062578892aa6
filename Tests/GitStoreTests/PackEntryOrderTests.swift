import GitCore
import Testing

@testable import GitStore

/// The order of a pack's rows by their ids.
@Suite struct PackEntryOrderTests {
    private func table(_ ids: [[UInt8]], _ format: ObjectFormat) -> PackEntryTable {
        var table = PackEntryTable(format)
        for (row, id) in ids.enumerated() {
            table.append(
                whole: .blob, ObjectID(raw: id.span, format), offset: UInt64(row) * 10 + 12,
                headerLength: 1, crc: 0)
        }
        return table
    }

    private func expectSorted(_ ids: [[UInt8]], _ format: ObjectFormat) {
        let expected = ids.indices.sorted { a, b in
            ids[a] == ids[b] ? a < b : ids[a].lexicographicallyPrecedes(ids[b])
        }
        let isSorted = table(ids, format).rowsByObjectID().map(Int.init) == expected
        #expect(isSorted, "\(ids.count) ids")
    }

    private func ids(
        _ count: Int, _ format: ObjectFormat, sharing prefix: Int = 0, places: Int = 32
    ) -> [[UInt8]] {
        var random = PackRandom(state: UInt64(count + prefix))
        return (0 ..< count).map { _ in
            (0 ..< format.byteCount).map { place in
                place < prefix || place >= places
                    ? 0x5a : UInt8.random(in: 0 ... 255, using: &random)
            }
        }
    }

    @Test(arguments: ObjectFormat.allCases, [0, 1, 2, 3, 7, 8, 9, 100, 5_000])
    func idsFromAHash(format: ObjectFormat, count: Int) {
        expectSorted(ids(count, format), format)
    }

    /// Equal in their first bytes; where few places differ, many are equal in all.
    @Test(arguments: ObjectFormat.allCases, 0 ... 20) func idsThatBeginAlike(
        format: ObjectFormat, prefix: Int
    ) {
        expectSorted(ids(600, format, sharing: prefix), format)
        expectSorted(ids(600, format, sharing: prefix, places: prefix + 1), format)
    }

    @Test func manyObjects() {
        expectSorted(ids(200_000, .sha1), .sha1)
    }

    /// However the ids were chosen, sorting them does not take quadratic time.
    @Test(.timeLimit(.minutes(5)), arguments: [0, 2, 5, 6, 8, 12, 16]) func chosenIDs(place: Int) {
        let count: UInt32 = 200_000
        for isDescending in [false, true] {
            let ids = (0 ..< count).map { number in
                let value = isDescending ? count - number : number
                var id = [UInt8](repeating: 0x5a, count: 20)
                id.replaceSubrange(place ..< place + 4, with: PackBuilder.bigEndian(value))
                return id
            }
            let table = table(ids, .sha1)
            let start = ContinuousClock.now
            let rows = table.rowsByObjectID()
            #expect(ContinuousClock.now - start < .seconds(10))
            let isSorted = rows == (isDescending ? (0 ..< count).reversed() : Array(0 ..< count))
            #expect(isSorted)
        }
    }
}
