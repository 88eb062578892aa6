import GitStore

/// Brings a pack from the task that reads the network to the thread that indexes it: the task waits
/// while the thread is behind, so that a slow disk slows the download and memory stays flat.
final class PackReceiver: Sendable {
    private struct State {
        var chunks: [ArraySlice<UInt8>] = []
        var byteCount = 0
        var isComplete = false
        /// The indexer has given up: what comes is thrown away.
        var hasStopped = false
        /// The task, where it waits for room; told whether to go on.
        var sender: CheckedContinuation<Bool, Never>?
    }

    /// Bytes that may wait for the indexer.
    private static let capacity = 4 << 20

    /// Bytes that a chunk takes besides: a server may send one byte at a time.
    private static let chunkOverhead = 64

    private let state = Monitor(State())

    /// Whether the indexer is done, well or not.
    var hasStopped: Bool { state.change { $0.hasStopped } }

    /// Hands over the next bytes; waits while too many are waiting already. False once the indexer has
    /// given up.
    func send(_ chunk: ArraySlice<UInt8>) async -> Bool {
        await withCheckedContinuation { continuation in
            let answer: Bool? = state.change { state in
                guard !state.hasStopped else { return false }
                state.chunks.append(chunk)
                state.byteCount += chunk.count + Self.chunkOverhead
                if state.byteCount < Self.capacity { return true }
                state.sender = continuation
                return nil
            }
            if let answer { continuation.resume(returning: answer) }
        }
    }

    /// Says that all has been sent.
    func complete() { state.change { $0.isComplete = true } }

    /// For the indexer's thread: gives the next bytes, waiting for them; nil once all were sent.
    func source() -> () -> ArraySlice<UInt8>? {
        var chunks: ArraySlice<ArraySlice<UInt8>> = []
        return { [self] in
            if chunks.isEmpty { chunks = take()?[...] ?? [] }
            return chunks.popFirst()
        }
    }

    /// What has come, waiting for it; nil at the end.
    private func take() -> [ArraySlice<UInt8>]? {
        let taken = state.wait { (state: inout State) -> State? in
            guard !state.chunks.isEmpty || state.isComplete else { return nil }
            defer {
                state.chunks = []
                state.byteCount = 0
                state.sender = nil
            }
            return state
        }
        taken.sender?.resume(returning: true)
        return taken.chunks.isEmpty ? nil : taken.chunks
    }

    /// When the indexer is done, well or not: nobody waits for it any more.
    func stop() {
        let sender = state.change { state in
            defer {
                state.hasStopped = true
                state.chunks = []
                state.sender = nil
            }
            return state.sender
        }
        sender?.resume(returning: false)
    }
}
