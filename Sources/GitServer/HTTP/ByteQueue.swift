#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// Bytes that wait, in the pieces in which they came.
struct ByteQueue {
    private var pieces: [[UInt8]] = []
    /// The first piece that is not taken whole, and how much of it is.
    private var first = 0
    private var taken = 0
    private(set) var count = 0

    private static let small = 16 << 10

    mutating func append(_ piece: [UInt8]) {
        guard !piece.isEmpty else { return }
        count += piece.count
        // Many small pieces become one: each costs more than its bytes.
        if let last = pieces.indices.last, last >= first,
            pieces[last].count + piece.count <= Self.small
        {
            pieces[last] += piece
        } else {
            pieces.append(piece)
        }
    }

    /// The first piece, or what is left of it.
    mutating func takePiece() -> [UInt8]? {
        guard first < pieces.count else { return nil }
        let piece = taken == 0 ? pieces[first] : Array(pieces[first][taken...])
        count -= piece.count
        dropFirst()
        return piece
    }

    /// Fills `buffer` as far as the bytes go; says how many these were.
    mutating func take(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        var filled = 0
        while filled < buffer.count, first < pieces.count {
            let copied = pieces[first].withUnsafeBytes { piece in
                let part = piece[taken...].prefix(buffer.count - filled)
                UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: part))
                return part.count
            }
            filled += copied
            taken += copied
            if taken == pieces[first].count { dropFirst() }
        }
        count -= filled
        return filled
    }

    private mutating func dropFirst() {
        pieces[first] = []
        first += 1
        taken = 0
        if first == pieces.count || first > 64 {
            pieces.removeFirst(first)
            first = 0
        }
    }
}

func closeDescriptor(_ descriptor: Int32) { _ = close(descriptor) }
