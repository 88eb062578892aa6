internal import GitCore
internal import GitWire
import Synchronization

/// Sends the answer to a push: what hooks say, signs of life, and the report.
final class PushSender: Ticking {
    private struct State {
        var writer: PushResponseWriter
        var lastSent = ContinuousClock.now
        /// Before, nothing may be sent: an answer ends the request.
        var isOpen = false
    }

    private let state: Mutex<State>
    private let output: any ServiceOutput

    /// Git's: receive.keepAlive.
    private static let patience: Duration = .seconds(5)

    init(_ request: PushRequest, _ output: any ServiceOutput) {
        state = Mutex(State(writer: PushResponseWriter(request)))
        self.output = output
    }

    /// All of the request has been read, or no more of it will be.
    func open() { state.withLock { $0.isOpen = true } }

    /// Text for the pusher, at once if that may be. A pusher that is gone hears nothing.
    func tell(_ text: ByteString) {
        state.withLock { state in
            state.writer.progress(text)
            guard state.isOpen else { return }
            send(&state)
        }
    }

    func tell(_ lines: [String]) {
        for line in lines { tell(ByteString(line + "\n")) }
    }

    /// The report, which is the last thing but what hooks say afterwards.
    func report(_ report: PushReport) throws(WireError) {
        try state.withLock { state throws(WireError) in
            state.isOpen = true
            try state.writer.report(report)
            send(&state)
        }
    }

    func end() {
        state.withLock { state in
            state.isOpen = true
            state.writer.end()
            send(&state)
        }
    }

    func tick() {
        _ = state.withLockIfAvailable { state in
            guard state.isOpen, ContinuousClock.now - state.lastSent >= Self.patience else {
                return
            }
            state.writer.keepAlive()
            send(&state)
        }
    }

    private func send(_ state: inout State) {
        output.sendNow(state.writer.takeBytes())
        state.lastSent = .now
    }
}
