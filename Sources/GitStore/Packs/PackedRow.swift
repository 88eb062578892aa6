/// An entry of a pack: where it begins, and its row in the index.
struct PackedRow: Sendable {
    let offset: UInt64
    let row: UInt32

    /// `rows` in the order of their offsets, equal ones in the order in which they are.
    ///
    /// Digit by digit, the lowest first: an index has them in the order of a hash, for which a sort by
    /// comparison takes several times as long.
    static func sorted(_ rows: [PackedRow]) -> [PackedRow] {
        let most = rows.reduce(0) { max($0, $1.offset) }
        var (rows, other) = (rows, rows)
        var shift: UInt64 = 0
        while shift < 64, most >> shift > 0 {
            distribute(rows, byDigitAt: shift, to: &other)
            swap(&rows, &other)
            shift += digitBits
        }
        return rows
    }

    private static let digitBits: UInt64 = 11

    private static func distribute(
        _ rows: [PackedRow], byDigitAt shift: UInt64, to sorted: inout [PackedRow]
    ) {
        let mask: UInt64 = 1 << digitBits - 1
        func digit(_ row: PackedRow) -> Int { Int(row.offset >> shift & mask) }
        var places = [Int](repeating: 0, count: 1 << Int(digitBits))
        for row in rows { places[digit(row)] += 1 }
        var total = 0
        for value in places.indices { (places[value], total) = (total, total + places[value]) }
        for row in rows {
            sorted[places[digit(row)]] = row
            places[digit(row)] += 1
        }
    }
}

extension RandomAccessCollection where Index == Int {
    /// The first position at which `belongsBefore` is false, in a collection that it divides in two.
    package func partitionPoint(_ belongsBefore: (Element) -> Bool) -> Int {
        var (low, high) = (startIndex, endIndex)
        while low < high {
            let middle = low + (high - low) / 2
            if belongsBefore(self[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
