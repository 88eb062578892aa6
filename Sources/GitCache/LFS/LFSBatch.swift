import GitClient
import GitCore
import GitServer

/// A batch request of Git LFS, whose answer is to lead its client to this cache.
///
/// Only the URLs of downloads are changed, where they stand; all else of the answer stays byte for byte. One
/// that cannot be fetched from here stays as it is: the client goes there by itself.
struct LFSBatch: AnswerReviser {
    private let address: RepositoryAddress
    private let credentials: ClientCredentials
    private let core: CacheCore
    /// The URL of the repository's LFS server here, with a slash at its end, as the client came to it.
    private let base: ByteString

    private static let tail: ByteString = "objects/batch"
    private static let hostBytes = 255

    /// nil for one whose answer has to be passed on as it is.
    init?(_ head: RequestHead, _ address: RepositoryAddress, _ core: CacheCore) {
        let credentials = ClientCredentials(head.headers, core.key)
        let path = ByteString(head.rawTarget.bytes.prefix { $0 != UInt8(ascii: "?") })
        guard let host = head.headers.value("host"), Self.isHost(host), path.hasSuffix(Self.tail),
            // A login of a connection is none for the next one.
            !HTTPRequest(.get, address.host.base, headers: credentials.fields).hasOwnConnection
        else { return nil }
        // A proxy in front that speaks TLS says so.
        let isSecure = head.headers.values("x-forwarded-proto") == ["https"]
        let place = ByteString(path.dropLast(Self.tail.count).bytes.percentEscaped)
        base = (isSecure ? "https://" : "http://") + host + place
        self.address = address
        self.credentials = credentials
        self.core = core
    }

    /// A name or an address, with or without a port; nothing that a URL or JSON reads otherwise.
    private static func isHost(_ host: ByteString) -> Bool {
        !host.isEmpty && host.count <= hostBytes
            && host.bytes.allSatisfy {
                $0.isLetter || $0.isDigit || "-._:[]".utf8.contains($0)
            }
    }

    func begins(_ response: GitClient.HTTPResponse) -> Bool {
        if UpstreamFailure.refusals.contains(response.status) {
            core.forget(address, credentials.identity)
        }
        let coding = response.headers["content-encoding"]
        return response.status == 200 && (coding == nil || coding == "identity")
            && ["application/vnd.git-lfs+json", "application/json"].contains(
                response.headers.contentType)
    }

    func revised(_ body: [UInt8]) -> [UInt8]? {
        guard let answer = LFSBatchAnswer(parsing: body) else { return nil }
        let led = answer.downloads.filter { isFetchable($0.download) }
        if led.isEmpty { return nil }
        let token = core.lfsGrants.add(led.map(\.download), address, credentials)
        var revised: [UInt8] = []
        var end = 0
        for (download, place) in led.sorted(by: { $0.place.lowerBound < $1.place.lowerBound }) {
            revised += body[end ..< place.lowerBound]
            revised +=
                ("\"" + base + "apus/" + ByteString("\(download.oid)?token=") + token + "\"")
                .bytes
            end = place.upperBound
        }
        return revised + body[end...]
    }

    private func isFetchable(_ download: LFSDownload) -> Bool {
        // Where there is no room for it, it would be here for nobody.
        guard download.size <= core.answers.largest else { return false }
        // Whose address upstream gives, and not the name of a server, is none for this machine to go to.
        return download.url.origin == address.host.base.origin || !download.url.hasLiteralAddress
    }
}
