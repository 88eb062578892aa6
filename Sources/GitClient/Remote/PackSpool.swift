import GitCore
import GitStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// Lets a pack come as fast as the network brings it, whatever the indexer does: what that has not come to
/// waits in a file, which nobody else can see, and not in memory.
///
/// On a full disk the network waits for the indexer, as it does without this.
final class PackSpool: Sendable {
    private struct State {
        /// Of the file, what was written and not read yet.
        var start: UInt64 = 0
        var end: UInt64 = 0
        /// What comes after that, once nothing can be written any more.
        var passed: ArraySlice<UInt8>?
        var hasEnded = false
        var failure: StoreError?
    }

    private enum Piece {
        case inFile(at: UInt64, count: Int)
        case inMemory(ArraySlice<UInt8>)
        case end
    }

    private let file: File
    private let receiver: PackReceiver
    private let state = Monitor(State())

    /// Bytes that are read at a time.
    private static let portion = 256 << 10
    private static let interval = 100

    /// - Parameters:
    ///   - receiver: brings the pack; none but this takes it from there.
    ///   - directory: where the file is to be.
    init(_ receiver: PackReceiver, in directory: ByteString) throws(StoreError) {
        self.receiver = receiver
        let path = directory / "spool"
        file = try File(path, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
        try FileSystem.remove(path)
        try SystemThread { [self] in fill() }.detach()
    }

    /// Why the pack could not be read back, if that is so: it only seemed to end.
    var failure: StoreError? { state.change { $0.failure } }

    private func fill() {
        let source = receiver.source()
        var isWritable = true
        while let chunk = source() {
            if isWritable, write(chunk) { continue }
            isWritable = false
            while !state.wait(milliseconds: Self.interval, until: { $0.passed == nil }) {
                if receiver.hasStopped { return }
            }
            state.change { $0.passed = chunk }
        }
        state.change { $0.hasEnded = true }
    }

    private func write(_ chunk: ArraySlice<UInt8>) -> Bool {
        let offset = state.change { state in
            // All is read: its room is used again.
            if state.start == state.end { (state.start, state.end) = (0, 0) }
            return state.end
        }
        do throws(StoreError) {
            try chunk.span.withUnsafeBytes { bytes throws(StoreError) in
                try file.write(bytes, at: offset)
            }
        } catch { return false }
        state.change { $0.end += UInt64(chunk.count) }
        return true
    }

    /// For the indexer's thread: gives the next bytes, waiting for them; nil once all were given.
    func source() -> () -> ArraySlice<UInt8>? {
        { [self] in
            switch next() {
            case .inFile(let offset, let count): read(at: offset, count)
            case .inMemory(let chunk): chunk
            case .end: nil
            }
        }
    }

    private func next() -> Piece {
        state.wait { state in
            if state.start < state.end {
                let count = min(UInt64(Self.portion), state.end - state.start)
                return .inFile(at: state.start, count: Int(count))
            }
            if let chunk = state.passed {
                state.passed = nil
                return .inMemory(chunk)
            }
            return state.hasEnded ? .end : nil
        }
    }

    private func read(at offset: UInt64, _ count: Int) -> ArraySlice<UInt8>? {
        var bytes = [UInt8](repeating: 0, count: count)
        do throws(StoreError) {
            var room = bytes.mutableSpan
            let found = try room.withUnsafeMutableBytes { buffer throws(StoreError) in
                try file.read(into: buffer, at: offset)
            }
            guard found == count else {
                throw StoreError(.system, "'\(file.path)' is shorter than what was written to it")
            }
        } catch {
            state.change { $0.failure = error }
            return nil
        }
        state.change { $0.start += UInt64(count) }
        return bytes[...]
    }
}
