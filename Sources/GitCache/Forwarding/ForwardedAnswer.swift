import GitClient
import GitCore
import GitServer

/// The head of an answer of upstream's as the client gets it.
struct ForwardedAnswer {
    private let host: UpstreamHost
    /// What was asked for.
    private let url: GitURL
    private let response: GitClient.HTTPResponse

    init(_ response: GitClient.HTTPResponse, to url: GitURL, of host: UpstreamHost) {
        self.response = response
        self.url = url
        self.host = host
    }

    /// Bytes of its body; nil where upstream does not say, or says it twice.
    var length: UInt64? {
        let lengths = response.headers.all("content-length")
        guard lengths.count == 1, let digits = lengths.first, !digits.isEmpty,
            digits.bytes.allSatisfy(\.isDigit), response.headers["transfer-encoding"] == nil
        else { return nil }
        return UInt64(digits.printable)
    }

    /// Nil where it is none that can be passed on.
    var head: GitServer.HTTPResponse? {
        // A proxy's wish for a login is not for the client.
        guard (200 ... 599).contains(response.status), response.status != 407 else { return nil }
        let hasBody = response.status != 204 && response.status != 304
        var head = GitServer.HTTPResponse(
            response.status, body: hasBody ? .stream(count: length) : .bytes([]))
        for (name, value) in ForwardedHeaders.answer(response.headers.fields) {
            switch name {
            case "location": append(name, location(value), to: &head)
            case "set-cookie": append(name, cookie(value), to: &head)
            default: append(name, value, to: &head)
            }
        }
        return head
    }

    private func append(_ name: String, _ value: ByteString, to head: inout GitServer.HTTPResponse)
    {
        // libmicrohttpd takes no tab, and a blank means the same.
        let bytes = value.bytes.map { $0 == 0x09 ? 0x20 : $0 }
        let text = String(validating: bytes, as: UTF8.self) ?? value.printable
        head.headers.append((name, text))
    }

    /// Where it leads from here: what is below upstream's base is reached through the cache, all else
    /// is where upstream says that it is, in its words where they do not depend on where it said them.
    private func location(_ value: ByteString) -> ByteString {
        guard let target = try? url.resolving(location: value), target.isHTTP else { return value }
        let fragment = ByteString(value.bytes.drop { $0 != UInt8(ascii: "#") })
        let isAbsolute = value.bytes.prefix { !"/?#".utf8.contains($0) }.contains(UInt8(ascii: ":"))
        let base = host.base.path / ""
        guard target.origin == host.base.origin, target.path.hasPrefix(base) else {
            return isAbsolute ? value : target.connectionText + fragment
        }
        let query = target.query.map { "?" + $0 } ?? ByteString()
        return "/" + host.name + "/" + target.path.dropFirst(base.count) + query + fragment
    }

    /// For the client all upstreams are one host: a cookie is kept to the paths of the one that set it.
    private func cookie(_ value: ByteString) -> ByteString {
        let parts = value.split(UInt8(ascii: ";")).enumerated().filter { number, part in
            let name = part.bytes.drop(while: \.isWhiteSpace).prefix { $0 != UInt8(ascii: "=") }
            let key = ByteString(name.filter { !$0.isWhiteSpace }.map(\.lowercased))
            return number == 0 || (key != "domain" && key != "path")
        }
        let kept = parts.map(\.element.bytes).joined(separator: ";".utf8)
        return ByteString(Array(kept)) + "; Path=/" + host.name + "/"
    }
}
