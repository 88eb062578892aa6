import GitCore
import GitServer

// Which headers of a message go on to the other side (RFC 9110, 7.6.1). Those that are about one
// connection do not, nor do those that `Connection` names.

enum ForwardedHeaders {
    typealias Field = (name: String, value: ByteString)

    private static let ofConnection: Set<String> = [
        "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
        "http2-settings", "content-length",
    ]
    /// What is made anew or answered here, and what would tell upstream of somebody that it cannot check.
    private static let ofRequest: Set<String> = ["host", "expect", "forwarded", "x-real-ip"]
    /// What upstream says of its own origin, which this one is not.
    private static let ofOrigin: Set<String> = ["alt-svc", "strict-transport-security"]

    static func request(_ headers: RequestHeaders) -> [Field] {
        endToEnd(headers.all.map { (name: $0.name.printable, value: $0.value) }).filter {
            !ofRequest.contains($0.name) && !$0.name.hasPrefix("x-forwarded-")
        }
    }

    /// - Parameter fields: with names in lower case.
    static func answer(_ fields: [Field]) -> [Field] {
        endToEnd(fields).filter { !ofOrigin.contains($0.name) && isField($0) }
    }

    private static func endToEnd(_ fields: [Field]) -> [Field] {
        var named: Set<String> = []
        for field in fields where field.name == "connection" {
            for token in field.value.split(UInt8(ascii: ",")) {
                named.insert(
                    ByteString(token.bytes.filter { !$0.isWhiteSpace }).printable.lowercased())
            }
        }
        return fields.filter {
            !ofConnection.contains($0.name) && !$0.name.hasPrefix("proxy-")
                && !named.contains($0.name)
        }
    }

    /// Upstream's head was not checked as a client's is. What stands for nothing is left out with the rest:
    /// libmicrohttpd does not send it.
    private static func isField(_ field: Field) -> Bool {
        !field.name.isEmpty && !field.value.isEmpty
            && field.name.utf8.allSatisfy {
                $0.isLetter || $0.isDigit || "!#$%&'*+-.^_`|~".utf8.contains($0)
            }
            && !field.value.bytes.contains { $0.isControl && $0 != 0x09 }
    }
}
