import GitClient
import GitCore
import GitServer

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

// The answer to a batch request of Git LFS (its docs/api/batch.md), as far as it is read here:
//
//     { "transfer": "basic", "hash_algo": "sha256",
//       "objects": [ { "oid": <64 hex digits>, "size": <bytes>,
//                      "actions": { "download": {
//                          "href": <URL>, "header": { <name>: <value> },
//                          "expires_in": <seconds>, "expires_at": <RFC 3339> } } } ] }

/// Where an LFS object is, as upstream told a client, with what else it needs to get it.
struct LFSDownload: Sendable {
    /// The SHA-256 of the object.
    let oid: ObjectID
    /// In bytes.
    let size: UInt64
    let url: GitURL
    /// For the request.
    let headers: [(name: String, value: ByteString)]
    /// For how long upstream says that this holds; nil where it does not say.
    let lifetime: Duration?
}

/// What a batch answer lets a client download.
struct LFSBatchAnswer {
    /// Each with the place of its URL in the answer. What is in any way unusual is not among them.
    let downloads: [(download: LFSDownload, place: Range<Int>)]

    /// Bytes of a download's headers, and how many.
    private static let headerBytes = 16 << 10
    private static let headerCount = 32
    /// What the request has anyway, or what would change what is asked for.
    private static let refusedHeaders: Set<String> = [
        "host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade",
        "keep-alive", "expect", "range", "if-range", "accept-encoding", "content-encoding",
        "cookie",
    ]

    /// nil where it is no such answer: other than plain transfers of objects named by their SHA-256.
    ///
    /// - Parameter now: seconds since 1970.
    init?(parsing document: [UInt8], now: Int = time(nil)) {
        guard let root = try? JSONValue(parsing: document),
            root["transfer"].map({ $0.string == "basic" }) ?? true,
            root["hash_algo"].map({ $0.string == "sha256" }) ?? true,
            let objects = root["objects"]?.elements
        else { return nil }
        var seen: Set<ObjectID> = []
        var found: [(LFSDownload, Range<Int>)] = []
        for object in objects {
            guard let (download, place) = Self.download(object, now: now),
                seen.insert(download.oid).inserted
            else { continue }
            found.append((download, place))
        }
        downloads = found
    }

    private static func download(
        _ object: JSONValue, now: Int
    ) -> (LFSDownload, Range<Int>)? {
        guard object["error"] == nil, let oid = object["oid"]?.string.flatMap(oid),
            let size = object["size"]?.integer(UInt64.self),
            let action = object["actions"]?["download"],
            let href = action["href"], let text = href.string,
            let url = try? GitURL(text), url.isHTTP, url.username == nil, url.password == nil,
            let headers = headers(action["header"]), let expiry = Expiry(action, now: now)
        else { return nil }
        let download = LFSDownload(
            oid: oid, size: size, url: url, headers: headers, lifetime: expiry.lifetime)
        return (download, href.place)
    }

    /// As LFS writes it: 64 hex digits, none of them a capital.
    static func oid(_ text: ByteString) -> ObjectID? {
        guard text.count == ObjectFormat.sha256.hexCount, text.lowercased == text else {
            return nil
        }
        return ObjectID(hex: text)
    }

    private static func headers(_ value: JSONValue?) -> [(name: String, value: ByteString)]? {
        guard let value else { return [] }
        guard let members = value.members, members.count <= headerCount else { return nil }
        var headers: [(name: String, value: ByteString)] = []
        var names: Set<String> = []
        var count = 0
        for (name, value) in members.sorted(by: { $0.key < $1.key }) {
            let lower = name.printable.lowercased()
            count += name.count
            guard let value = value.string, !name.isEmpty, !value.isEmpty,
                name.bytes.allSatisfy({
                    $0.isLetter || $0.isDigit || "!#$%&'*+-.^_`|~".utf8.contains($0)
                }), !value.bytes.contains(where: \.isControl), names.insert(lower).inserted,
                !refusedHeaders.contains(lower), !lower.hasPrefix("proxy-")
            else { return nil }
            count += value.count
            headers.append((lower, value))
        }
        return count <= headerBytes ? headers : nil
    }
}

/// When a download's URL is good for nothing any more.
private struct Expiry {
    /// nil for never.
    let lifetime: Duration?

    /// nil where it cannot be understood, or is past.
    init?(_ action: JSONValue, now: Int) {
        let seconds: Int
        if let value = action["expires_in"] {
            guard let count = value.integer(Int32.self) else { return nil }
            seconds = Int(count)
        } else {
            seconds = 0
        }
        if seconds == 0, let value = action["expires_at"] {
            guard let text = value.string, let end = Self.seconds(text) else { return nil }
            guard end > now else {
                // What programs in Go write for no time at all.
                guard text.hasPrefix("0001-01-01T00:00:00") else { return nil }
                lifetime = nil
                return
            }
            lifetime = .seconds(end - now)
            return
        }
        guard seconds >= 0 else { return nil }
        lifetime = seconds == 0 ? nil : .seconds(seconds)
    }

    /// Seconds since 1970 of `2016-11-10T15:29:07Z`, with or without a fraction, `Z` or an offset (RFC 3339);
    /// nil for what is none.
    private static func seconds(_ text: ByteString) -> Int? {
        var text = text.printable[...]
        guard let offset = takeOffset(&text) else { return nil }
        if let point = text.lastIndex(of: ".") {
            let fraction = text[text.index(after: point)...]
            guard !fraction.isEmpty, fraction.utf8.allSatisfy(\.isDigit) else { return nil }
            text = text[..<point]
        }
        let pattern = "dddd-dd-ddTdd:dd:dd".utf8
        guard text.utf8.count == pattern.count,
            zip(text.utf8, pattern).allSatisfy({ byte, wanted in
                wanted == UInt8(ascii: "d") ? byte.isDigit : byte == wanted
            })
        else { return nil }
        let numbers = text.split { !$0.isNumber }.compactMap { Int32($0) }
        guard numbers.count == 6 else { return nil }
        var parts = tm()
        parts.tm_year = numbers[0] - 1900
        parts.tm_mon = numbers[1] - 1
        parts.tm_mday = numbers[2]
        parts.tm_hour = numbers[3]
        parts.tm_min = numbers[4]
        parts.tm_sec = numbers[5]
        return Int(timegm(&parts)) - offset
    }

    /// Takes `Z` or `+02:00` from the end: seconds east of Greenwich.
    private static func takeOffset(_ text: inout Substring) -> Int? {
        if text.utf8.last == UInt8(ascii: "Z") {
            text = text.dropLast()
            return 0
        }
        let end = text.suffix(6)
        guard end.utf8.count == 6, let sign = end.first, sign == "+" || sign == "-" else {
            return nil
        }
        let parts = end.dropFirst().split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ $0.utf8.count == 2 }),
            parts.allSatisfy({ $0.utf8.allSatisfy(\.isDigit) }),
            let hours = Int(parts[0]), let minutes = Int(parts[1])
        else { return nil }
        text = text.dropLast(6)
        return (hours * 60 + minutes) * (sign == "-" ? -60 : 60)
    }
}
