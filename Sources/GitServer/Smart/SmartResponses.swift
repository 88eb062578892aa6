internal import GitCore

extension HTTPResponse {
    /// The same, not to be kept by any cache.
    package var uncached: HTTPResponse {
        var response = self
        response.headers += Self.noCache
        return response
    }

    /// Why somebody is not let in.
    init(_ decision: AccessDecision) {
        switch decision {
        case .allowed, .forbidden: self.init(403, text: "You may not do this here.")
        case .loginNeeded:
            self.init(
                401, text: "Log in.",
                headers: [("WWW-Authenticate", "Basic realm=\"Git\", charset=\"UTF-8\"")])
        case .tooManyFailures:
            self.init(
                429, text: "Too many failed logins.", headers: [("Retry-After", "10")])
        }
        headers += Self.noCache
    }

    init(routeFault fault: SmartRoute.Fault) {
        switch fault {
        case .notFound: self.init(404, text: "Not found.")
        case .methodNotAllowed(let allowed):
            self.init(405, text: "Method not allowed.", headers: [("Allow", allowed)])
        case .dumbClient:
            self.init(403, text: "Only Git's smart protocol is served: a newer Git is needed.")
        }
        headers += Self.noCache
    }

    package init(bodyFault fault: BodyFault) {
        switch fault {
        case .malformed: self.init(400, text: "The body of the request is malformed.")
        case .tooLarge: self.init(413, text: "The body of the request is too large.")
        case .unknownCoding: self.init(415, text: "Only gzip is known as Content-Encoding.")
        case .ended: self.init(400, text: "The request was cut off.")
        }
        headers += Self.noCache
    }
}
