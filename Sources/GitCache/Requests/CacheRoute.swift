import GitCore
import GitServer

/// What a request to a cache is for:
///
///     GET  /<host>/<path>/info/refs?service=git-upload-pack
///     POST /<host>/<path>/git-upload-pack
///     POST /<host>/<path>/info/lfs/objects/batch
///     GET  /<host>/<path>/info/lfs/apus/<oid>?token=<32 hex digits>
///     GET  /-/<page>
///
/// All else under a host is forwarded.
enum CacheRoute {
    case advertise(RepositoryAddress)
    case fetch(RepositoryAddress)
    case lfsBatch(RepositoryAddress)
    /// One that a batch answer led here.
    case lfsObject(RepositoryAddress, oid: ObjectID, token: ByteString)
    case other(UpstreamHost, [ByteString])
    case page(ByteString)

    /// nil where no host of that name is served.
    init?(_ head: RequestHead, _ hosts: [ByteString: UpstreamHost]) {
        let path = head.target.path
        if path.first == "-", path.count == 2 {
            self = .page(path[1])
            return
        }
        guard let first = path.first, let host = hosts[ByteString(first.bytes.map(\.lowercased))]
        else { return nil }
        let rest = Array(path.dropFirst())
        if rest.contains(where: { $0.bytes.contains(UInt8(ascii: "/")) }) {
            self = .other(host, rest)
        } else if rest.suffix(2) == ["info", "refs"], rest.count > 2, head.method == "GET",
            head.target.value("service") == "git-upload-pack"
        {
            self = .advertise(RepositoryAddress(host: host, path: rest.dropLast(2)))
        } else if rest.last == "git-upload-pack", rest.count > 1, head.method == "POST" {
            self = .fetch(RepositoryAddress(host: host, path: rest.dropLast()))
        } else if rest.suffix(4) == ["info", "lfs", "objects", "batch"], rest.count > 4,
            head.method == "POST"
        {
            self = .lfsBatch(RepositoryAddress(host: host, path: rest.dropLast(4)))
        } else if rest.count > 4, rest.dropLast().suffix(3) == ["info", "lfs", "apus"],
            head.method == "GET", let oid = rest.last.flatMap(LFSBatchAnswer.oid),
            let token = head.target.value("token")
        {
            self = .lfsObject(
                RepositoryAddress(host: host, path: rest.dropLast(4)), oid: oid, token: token)
        } else {
            self = .other(host, rest)
        }
    }
}
