import GitClient
import GitCore

/// Reads an answer on its way from upstream, and may change its body.
protocol AnswerReviser: Sendable {
    /// Whether the body is to be read, if it is no larger than ``Forwarder/largestRevised``.
    func begins(_ response: HTTPResponse) -> Bool
    /// What goes out in place of a body; nil where it stays as it is.
    func revised(_ body: [UInt8]) -> [UInt8]?
}
