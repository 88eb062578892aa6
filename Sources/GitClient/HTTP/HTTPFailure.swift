import GitCore

// What an answer that is no success means, in Git's words.

extension HTTPResponse {
    /// The error for this status of the repository at `base`; the server's own words about it go to
    /// `notice`.
    func failure(at base: GitURL, _ notice: HTTPRemote.NoticeHandler) async -> ClientError {
        if headers.contentType == "text/plain" {
            for line in await body.text() { notice(.remote(line)) }
        }
        let url = base.redacted
        let code: ClientError.Code
        switch status {
        case 401:
            return ClientError(
                .authentication, "Authentication failed for '\(url)'", status: status)
        case 404:
            return ClientError(.notFound, "repository '\(url)' not found", status: status)
        case 300 ..< 400:
            return ClientError(
                .redirect, "unable to access '\(url)': unexpected redirect (\(status))",
                status: status)
        case 403: code = .forbidden
        case 410: code = .notFound
        default: code = .httpStatus
        }
        return ClientError(
            code, "unable to access '\(url)': The requested URL returned error: \(status)",
            status: status)
    }

    /// The error for an answer to `info/refs` that is not a Git service's.
    func failureOfDiscovery(at base: GitURL) async -> ClientError {
        let type = headers.contentType
        let url = base.redacted
        let mayBeDumb = ["", "text/plain", "application/octet-stream"].contains(type)
        if mayBeDumb, await body.text().first?.isRefLine == true {
            return ClientError(
                .unsupported,
                "'\(url)' is served by the \"dumb\" HTTP protocol, which is not supported")
        }
        return ClientError(
            .protocolError,
            "'\(url)' is not a Git repository: the server answered with '\(type.printable)'")
    }

    /// How long to wait before asking again; nil where asking again is no use, or the server wants
    /// more patience than there is.
    var secondsToRetry: Int? {
        guard [429, 502, 503, 504].contains(status) else { return nil }
        guard let value = headers["retry-after"], !value.isEmpty,
            value.bytes.allSatisfy(\.isDigit)
        else { return 1 }
        guard value.count <= 4 else { return nil }
        let seconds = value.bytes.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
        return seconds <= HTTPLimits.retrySeconds ? seconds : nil
    }
}

extension HTTPBodyStream {
    /// Reads what is left, so that the connection can be used again; not more than an error's worth.
    func drain() async { _ = await prefix() }

    /// The lines of a text, safe to print.
    func text() async -> [String] {
        var lines = ByteString(await prefix()).split(UInt8(ascii: "\n")).map { line in
            ByteString(line.bytes.last == 0x0d ? line.bytes.dropLast() : line.bytes[...])
        }
        while lines.last?.isEmpty == true { lines.removeLast() }
        return lines.map(\.printable)
    }

    /// The first bytes, up to ``HTTPLimits/errorBody`` and as long as they come without much delay.
    private func prefix() async -> [UInt8] {
        var bytes: [UInt8] = []
        let end = ContinuousClock.now + .seconds(HTTPLimits.errorBodySeconds)
        do throws(ClientError) {
            while bytes.count < HTTPLimits.errorBody, ContinuousClock.now < end,
                let chunk = try await next()
            {
                bytes += chunk.prefix(HTTPLimits.errorBody - bytes.count)
            }
        } catch {}
        return bytes
    }
}

extension String {
    /// An object id and a tab, as each line of a dumb server's `info/refs` begins.
    fileprivate var isRefLine: Bool {
        let digits = utf8.prefix { $0.hexValue != nil }.count
        return (digits == 40 || digits == 64) && utf8.dropFirst(digits).starts(with: "\\x09".utf8)
    }
}
