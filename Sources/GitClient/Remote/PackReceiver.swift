import Dispatch
import GitStore
import Synchronization

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

    private let state = Mutex(State())
    private let arrived = DispatchSemaphore(value: 0)

    /// Hands over the next bytes; waits while too many are waiting already. False once the indexer has
    /// given up.
    func send(_ chunk: ArraySlice<UInt8>) async -> Bool {
        await withCheckedContinuation { continuation in
            let answer: Bool? = state.withLock { state in
                guard !state.hasStopped else { return false }
                state.chunks.append(chunk)
                state.byteCount += chunk.count
                if state.byteCount < Self.capacity { return true }
                state.sender = continuation
                return nil
            }
            arrived.signal()
            if let answer { continuation.resume(returning: answer) }
        }
    }

    /// Says that all has been sent.
    func complete() {
        state.withLock { $0.isComplete = true }
        arrived.signal()
    }

    /// On the indexer's thread: feeds `indexer` until all has been sent.
    func feed(_ indexer: PackIndexer) throws(StoreError) {
        while true {
            let (chunks, isLast, sender) = state.withLock { state in
                defer {
                    state.chunks = []
                    state.byteCount = 0
                    state.sender = nil
                }
                return (state.chunks, state.isComplete, state.sender)
            }
            sender?.resume(returning: true)
            for chunk in chunks {
                let result = chunk.withUnsafeBytes { bytes in
                    Result { () throws(StoreError) in try indexer.append(bytes) }
                }
                try result.get()
            }
            if chunks.isEmpty {
                if isLast { return }
                arrived.wait()
            }
        }
    }

    /// On the indexer's thread, when it is done, well or not: nobody waits for it any more.
    func stop() {
        let sender = state.withLock { state in
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
