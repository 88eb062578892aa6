import GitCore
import GitStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// Reads lines of a bounded length from a connection.
struct LineReader: ~Copyable {
    private let limit: Int
    private var buffer: [UInt8] = []
    /// Bytes of the buffer that are known to hold no end of a line.
    private var searched = 0

    private static let portion = 4_096
    private static let mostDrained = 1 << 20

    /// - Parameter limit: bytes of a line, the LF included.
    init(limit: Int) { self.limit = limit }

    enum Outcome: Equatable {
        /// Without its LF.
        case line([UInt8])
        /// The other end has closed, or takes too long.
        case end
        case tooLong
    }

    /// The next line.
    ///
    /// - Parameter deadline: when all of it has to be there; nil for whenever.
    mutating func next(
        from connection: borrowing File, by deadline: ContinuousClock.Instant? = nil
    ) -> Outcome {
        while true {
            if let end = buffer[searched...].firstIndex(of: 0x0a) {
                guard end < limit else { return .tooLong }
                defer {
                    buffer.removeFirst(end + 1)
                    searched = 0
                }
                return .line(Array(buffer[..<end]))
            }
            searched = buffer.count
            guard searched < limit else { return .tooLong }
            guard deadline.map({ isReadable(connection, by: $0) }) ?? true else { return .end }
            var piece = [UInt8](repeating: 0, count: Self.portion)
            let count = retrying { read(connection.descriptor, &piece, piece.count) }
            guard count > 0 else { return .end }
            buffer += piece.prefix(count)
        }
    }

    /// Says that nothing more comes from this side, and reads what the other one still sends, up to a mebibyte of it.
    func drain(_ connection: borrowing File, by deadline: ContinuousClock.Instant) {
        shutdown(connection.descriptor, Int32(SHUT_WR))
        var piece = [UInt8](repeating: 0, count: Self.portion)
        for _ in 0 ..< Self.mostDrained / Self.portion {
            guard isReadable(connection, by: deadline),
                retrying({ read(connection.descriptor, &piece, piece.count) }) > 0
            else { return }
        }
    }

    private func isReadable(
        _ connection: borrowing File, by deadline: ContinuousClock.Instant
    ) -> Bool {
        let left = (deadline - .now).components
        let milliseconds = left.seconds * 1_000 + left.attoseconds / 1_000_000_000_000_000
        guard milliseconds > 0 else { return false }
        var waiting = pollfd(fd: connection.descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&waiting, 1, Int32(clamping: milliseconds)) > 0
    }
}
