internal import GitStore
internal import GitWire

/// Where a service sends its answer.
package protocol ServiceOutput: AnyObject, Sendable {
    /// Sends the next bytes, waiting for room.
    func send(_ bytes: [UInt8]) throws(ExchangeEnded)
    /// Sends a few bytes now, whether there is room or not.
    func sendNow(_ bytes: [UInt8])
    /// Has `body` called on another thread when nobody waits for the answer any more; nil for nothing.
    func onCancel(_ body: (@Sendable () -> Void)?)
    /// Whether nobody waits any more.
    var isCancelled: Bool { get }
}

/// Words for the client on why its request is not answered.
package struct Refusal: Error, CustomStringConvertible {
    let text: String

    package var description: String { text }

    package init(_ text: String) { self.text = text }
}

/// Ends a request before anything has been sent: its answer is somebody else's business.
package protocol BeforeAnswer: Error {}

/// Has a request answered with a status of HTTP, where nothing has been sent yet.
package struct StatusRefusal: BeforeAnswer {
    package let response: HTTPResponse
    /// For the log.
    package let reason: String

    package init(_ response: HTTPResponse, reason: String) {
        self.response = response
        self.reason = reason
    }
}

extension Refusal {
    /// What a client is told of an error: why its request is refused, but of this machine's own troubles
    /// no more than that there are some. nil where nobody is there to be told.
    static func text(_ error: any Error) -> String? {
        switch error {
        case let refusal as Refusal: return refusal.text
        case let error as WireError: return error.message
        case let error as StoreError where error.code == .cancelled: return nil
        case let error as StoreError where error.code == .invalid || error.code == .unsupported:
            return error.message
        case is ExchangeEnded, is any BeforeAnswer: return nil
        case let fault as BodyFault:
            return fault == .tooLarge ? "the request is too large" : "the request is malformed"
        default: return "the repository cannot be read; the server's log says more"
        }
    }
}
