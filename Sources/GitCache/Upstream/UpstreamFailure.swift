import GitClient
import GitCore
import GitServer
import GitWire

/// Why upstream did not do what a client asked for.
struct UpstreamFailure: Error {
    /// Upstream's status; 502 where it gave none that can be passed on.
    let status: Int
    /// What a client needs to go on: how to log in, when to come again.
    var headers: [(name: String, value: ByteString)] = []
    /// For the client: nothing of what is between this machine and upstream.
    let message: String
    /// For the log.
    let reason: String
    /// Whether upstream is away, or has no time: to ask again soon would make it worse.
    var isOutage = false
}

extension UpstreamFailure: CustomStringConvertible {
    var description: String { reason }

    /// A status that says what to do about it is passed on; all else is none of a client's business.
    init(_ error: ClientError, headers: [(name: String, value: ByteString)] = []) {
        let message: String? =
            switch error.status {
            case 401: "The upstream wants to know who asks."
            case 403: "The upstream refuses this."
            case 404: "The upstream has no such repository."
            case 410: "The upstream has no such repository any more."
            case 429: "The upstream gets too many requests."
            case 503: "The upstream has no time."
            default: nil
            }
        if let message {
            self.init(
                status: error.status, headers: headers, message: message, reason: error.message,
                isOutage: error.status == 503)
        } else if error.code == .limit {
            // Numbers of this side's alone.
            let limit = (error.cause as? WireError)?.message ?? "there is a limit"
            self.init(
                status: 502, message: "The upstream's answer is too large: \(limit).",
                reason: error.message)
        } else {
            // 500 may be one repository's trouble.
            let isOutage =
                [.network, .tls].contains(error.code) || [502, 504].contains(error.status)
            self.init(
                status: 502,
                message: isOutage
                    ? "The upstream cannot be reached."
                    : error.code == .refusedAddress
                        ? "The upstream's name leads where it must not."
                        : "The upstream's answer is of no use.",
                reason: error.message, isOutage: isOutage)
        }
    }

    /// What is not here cannot be got.
    static let away = UpstreamFailure(
        status: 502, message: "The upstream cannot be reached.",
        reason: "upstream is away, and not all of this is here", isOutage: true)

    /// The seconds after which upstream wants to be asked again, if it said so.
    var retryAfter: Int? {
        headers.first { $0.name == "retry-after" }.flatMap { Self.seconds($0.value) }
    }

    /// What `Retry-After` says, where that is a number.
    static func seconds(_ retryAfter: ByteString) -> Int? {
        Int(retryAfter.printable).map { max(0, $0) }
    }

    /// Whether the client may not have what it asks for.
    var isRefusal: Bool { Self.refusals.contains(status) }
    static let refusals = [401, 403, 404, 410]

    /// Has a failure of upstream's become the client's, as long as nothing has been sent.
    ///
    /// - Throws: `StatusRefusal` for an `UpstreamFailure`; what else `body` throws.
    static func passingOn<Value>(_ body: () throws -> Value) throws -> Value {
        do { return try body() } catch let failure as UpstreamFailure {
            var response = GitServer.HTTPResponse(failure.status, text: failure.message).uncached
            for (name, value) in failure.headers {
                // What libmicrohttpd does not send as it is would be the end of the answer.
                let words = ByteString(value.bytes.map { $0.isControl ? 0x20 : $0 })
                guard !words.bytes.allSatisfy(\.isWhiteSpace) else { continue }
                response.headers.append((name, words.printable))
            }
            throw StatusRefusal(response, reason: failure.reason)
        }
    }
}
