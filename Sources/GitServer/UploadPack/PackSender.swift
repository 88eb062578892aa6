internal import GitCore
internal import GitStore
internal import GitWire
import Synchronization

/// Sends a pack on its way to a client, with signs of life and words of how far it is.
///
/// The thread that makes the pack sends it; another comes by each second.
final class PackSender: Ticking {
    private struct State {
        var writer: FetchResponseWriter
        var lastSent = ContinuousClock.now
        var hasBegun = false
        /// Others tell how far it is.
        var hasOthersWords = false
        var isFinished = false
    }

    private let state: Mutex<State>
    private let output: any ServiceOutput
    private let progress: PackBuildProgress
    private let isQuiet: Bool

    /// Git's: uploadpack.keepAlive.
    private static let patience: Duration = .seconds(5)
    private static let portion = 64 << 10

    init(
        _ writer: FetchResponseWriter, _ output: any ServiceOutput,
        _ progress: PackBuildProgress, isQuiet: Bool
    ) {
        state = Mutex(State(writer: writer))
        self.output = output
        self.progress = progress
        self.isQuiet = isQuiet
    }

    /// Tells of packs that are to be downloaded besides, and that the pack comes next.
    func begin(beside packs: [PackfileURI]) throws(StoreError) {
        do throws(WireError) {
            try state.withLock { state throws(WireError) in
                if !packs.isEmpty { try state.writer.packfileURIs(packs) }
                state.writer.beginPack()
            }
        } catch { throw StoreError(.invalid, error.message) }
    }

    /// Sends the next bytes of the pack.
    func send(_ piece: UnsafeRawBufferPointer) throws(StoreError) {
        do throws(ExchangeEnded) {
            try state.withLock { state throws(ExchangeEnded) in
                if !state.hasBegun { beginPack(&state) }
                state.writer.pack(piece)
                guard state.writer.count >= Self.portion else { return }
                try output.send(state.writer.takeBytes())
                state.lastSent = .now
            }
        } catch { throw StoreError(.cancelled, "the client is gone") }
    }

    /// As it is now, with what is still to be sent.
    var writer: FetchResponseWriter { state.withLock { $0.writer } }

    /// Tells somebody else's words.
    func show(_ text: ByteString) {
        guard !isQuiet else { return }
        state.withLock { state in
            state.writer.progress(text)
            state.hasOthersWords = true
            sendNow(&state)
        }
    }

    /// Tells the person something that is no progress.
    func warn(_ text: ByteString) {
        guard !isQuiet else { return }
        state.withLock { state in
            state.writer.progress(text)
            sendNow(&state)
        }
    }

    /// Ends the pack.
    ///
    /// - Parameter summary: what it was made of, where it was made here.
    func finish(_ summary: PackSummary?) {
        state.withLock { state in
            if !isQuiet, let summary {
                state.writer.progress(
                    ByteString(
                        "Total \(summary.objects) (delta \(summary.deltas)), reused "
                            + "\(summary.reused) (delta \(summary.reusedDeltas)), pack-reused 0\n"))
            }
            state.writer.end()
            state.isFinished = true
        }
    }

    /// Called about once a second on another thread, which must not wait: while bytes are being sent
    /// there is no need for more.
    func tick() {
        _ = state.withLockIfAvailable { state in
            if state.isFinished { return }
            guard !state.hasBegun else { return keepAlive(&state) }
            if isQuiet || state.hasOthersWords { keepAlive(&state) } else { showProgress(&state) }
        }
    }

    private func keepAlive(_ state: inout State) {
        guard ContinuousClock.now - state.lastSent >= Self.patience else { return }
        state.writer.keepAlive()
        sendNow(&state)
    }

    private func showProgress(_ state: inout State) {
        let text =
            if let total = progress.totalObjects, progress.deltaCandidates > 0 {
                Self.share(
                    "Compressing objects", progress.triedCandidates, progress.deltaCandidates)
                    + (progress.triedCandidates == total ? "\n" : "\r")
            } else {
                "Enumerating objects: \(progress.enumeratedObjects)\r"
            }
        state.writer.progress(ByteString(text))
        sendNow(&state)
    }

    private func beginPack(_ state: inout State) {
        state.hasBegun = true
        guard !isQuiet, let total = progress.totalObjects else { return }
        var text = "Enumerating objects: \(total), done.\n"
        text += Self.share("Counting objects", total, total) + ", done.\n"
        let candidates = progress.deltaCandidates
        if candidates > 0 {
            text += Self.share("Compressing objects", candidates, candidates) + ", done.\n"
        }
        state.writer.progress(ByteString(text))
    }

    private func sendNow(_ state: inout State) {
        output.sendNow(state.writer.takeBytes())
        state.lastSent = .now
    }

    private static func share(_ title: String, _ part: Int, _ whole: Int) -> String {
        let percent = whole == 0 ? 100 : part * 100 / whole
        let padding = String(repeating: " ", count: percent < 10 ? 2 : percent < 100 ? 1 : 0)
        return "\(title): \(padding)\(percent)% (\(part)/\(whole))"
    }
}
