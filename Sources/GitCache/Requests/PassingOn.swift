import GitCore
import GitServer

extension UpstreamFailure {
    /// Has a failure of upstream's become the client's, as long as nothing has been sent.
    ///
    /// - Throws: `StatusRefusal` for an `UpstreamFailure`; what else `body` throws.
    static func passingOn<Value>(_ body: () throws -> Value) throws -> Value {
        do { return try body() } catch let failure as UpstreamFailure {
            var response = GitServer.HTTPResponse(failure.status, text: failure.message).uncached
            for (name, value) in failure.headers {
                response.headers.append((name, value.printable))
            }
            throw StatusRefusal(response, reason: failure.message)
        }
    }
}
