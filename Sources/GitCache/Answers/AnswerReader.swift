import GitStore
import Synchronization

/// Follows an answer that somebody writes, from its first byte to its end. One thread at a time reads;
/// ``cancel()`` may come from any.
///
/// It counts as use: neither is the answer evicted nor its file closed while this object lives. To let go
/// of it is to hang up.
package final class AnswerReader: Sendable {
    private let growing: GrowingAnswer
    private let place = ReaderPlace()

    /// So often who waits looks up, in milliseconds: the writer does not tell of each few bytes.
    private static let patience = 50

    init(_ growing: GrowingAnswer) {
        self.growing = growing
        growing.add(place)
    }

    deinit { growing.remove(place) }

    /// Bytes read so far.
    package var position: UInt64 { place.value }

    /// Ends the reading, now and hereafter, with ``CacheError/Code/cancelled``.
    package func cancel() {
        place.isCancelled.store(true, ordering: .sequentiallyConsistent)
        growing.state.change { _ in }
    }

    /// The next bytes, at least one, waiting for it; no more than `buffer` has room for. 0 at the end.
    ///
    /// - Throws: ``CacheError/Code/cancelled``; ``CacheError/Code/abandoned`` where the writer gave up;
    ///   ``CacheError/Code/tooSlow`` where this reader held up too long an answer that cannot be kept;
    ///   for either of the two ``CacheError/Code/again`` if not a byte was read: then the answer can be
    ///   asked for anew, and the client knows of nothing. The cause is that of the writer.
    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(CacheError) -> Int {
        if buffer.isEmpty { return 0 }
        while true {
            switch try step(buffer) {
            case .read(let count):
                place.position.wrappingAdd(UInt64(count), ordering: .sequentiallyConsistent)
                if growing.isPassing.load(ordering: .sequentiallyConsistent) {
                    growing.state.change { _ in }
                }
                return count
            case .end: return 0
            case .nothing, .inFile: continue
            }
        }
    }

    /// As ``read(into:)``, up to `count` bytes; none at the end.
    package func next(upTo count: Int) throws(CacheError) -> [UInt8] {
        var failure: CacheError?
        let bytes = [UInt8](unsafeUninitializedCapacity: max(1, count)) { buffer, filled in
            do throws(CacheError) {
                filled = try read(into: UnsafeMutableRawBufferPointer(buffer))
            } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Passes over what comes before `offset`, once that is written. False, and nothing passed over, where it is
    /// not written in so many milliseconds, or the answer is not kept on disk.
    package func skip(to offset: UInt64, within patience: Int) -> Bool {
        let deadline = millisecondsSinceStart() + patience
        var (isWritten, isOver) = (false, false)
        while !isOver {
            let left = max(0, deadline - millisecondsSinceStart())
            isOver = growing.state.wait(milliseconds: min(left, Self.patience)) { state in
                isWritten = state.isKept && growing.length.load(ordering: .acquiring) > offset
                return isWritten || !state.isKept || state.end != nil
                    || place.isCancelled.load(ordering: .relaxed)
            }
            if left == 0 { break }
        }
        if isWritten, place.value < offset {
            place.position.store(offset, ordering: .sequentiallyConsistent)
        }
        return isWritten
    }

    /// The same answer as a whole one, once it is that: the rest can go by sendfile from ``position`` on.
    /// nil before, and where it is not kept on disk.
    package var whole: WholeAnswer? {
        let isWhole = growing.state.look { state in
            if case .finished? = state.end { state.isKept } else { false }
        }
        guard isWhole, let content = growing.content.load() else { return nil }
        return WholeAnswer(
            content, growing.use, size: growing.length.load(ordering: .acquiring))
    }

    // MARK: Steps

    private enum Step {
        case read(Int)
        case end
        case nothing
        /// There is something in the file now: for the next step, without the lock.
        case inFile
    }

    private func step(_ buffer: UnsafeMutableRawBufferPointer) throws(CacheError) -> Step {
        try checkCancelled()
        // Who has begun reads what was written until it was given up: the last of that may say why.
        if place.value > 0 || !growing.isAbandoned.load(ordering: .acquiring) {
            let length = growing.length.load(ordering: .acquiring)
            if place.value < length { return try readFile(buffer, length) }
        }
        var result = Result<Step, CacheError>.success(.nothing)
        _ = growing.state.wait(milliseconds: Self.patience) { state in
            result = Result { () throws(CacheError) in try look(state, buffer) }
            if case .success(.nothing) = result {
                return place.isCancelled.load(ordering: .relaxed)
            }
            return true
        }
        return try result.get()
    }

    private func checkCancelled() throws(CacheError) {
        guard place.isCancelled.load(ordering: .relaxed) else { return }
        throw CacheError(.cancelled, "cancelled")
    }

    private func readFile(
        _ buffer: UnsafeMutableRawBufferPointer, _ length: UInt64
    ) throws(CacheError) -> Step {
        let position = place.value
        let count = Int(min(UInt64(buffer.count), length - position))
        let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
        guard let content = growing.content.load() else { return .nothing }
        do throws(StoreError) {
            let read = try content.file.read(into: part, at: position)
            guard read == count else {
                throw StoreError(.corrupt, "'\(content.file.path)' became shorter")
            }
            return .read(count)
        } catch { throw CacheError(error) }
    }

    /// What comes next where there is nothing to read in the file. Called with the state's lock held.
    private func look(
        _ state: GrowingAnswer.State, _ buffer: UnsafeMutableRawBufferPointer
    ) throws(CacheError) -> Step {
        let position = place.value
        let isWritten = position < growing.length.load(ordering: .relaxed)
        if position > 0, isWritten { return .inFile }
        if case .abandoned(let error)? = state.end {
            throw CacheError(
                position == 0 ? .again : .abandoned, error.message, cause: error.cause ?? error)
        }
        if isWritten { return .inFile }
        if state.isKept { return isFinished(state) ? .end : .nothing }
        guard position >= state.tailStart, !place.isLeftBehind.load(ordering: .relaxed) else {
            throw CacheError(
                position == 0 ? .again : .tooSlow,
                "an answer that cannot be kept on disk was read too slowly")
        }
        let offset = Int(position - state.tailStart)
        let count = min(buffer.count, state.tail.count - offset)
        if count == 0 { return isFinished(state) ? .end : .nothing }
        buffer.copyBytes(from: state.tail[offset ..< offset + count])
        return .read(count)
    }

    private func isFinished(_ state: GrowingAnswer.State) -> Bool {
        if case .finished? = state.end { true } else { false }
    }
}
