internal import GitCore

/// Git's services over HTTP (gitprotocol-http).
enum SmartService: String, Sendable {
    case uploadPack = "upload-pack"
    case receivePack = "receive-pack"

    init?(name: ByteString) {
        guard name.hasPrefix("git-") else { return nil }
        self.init(rawValue: name.dropFirst(4).printable)
    }
}

/// What a request is for:
///
///     GET  <path>/info/refs?service=git-<service>
///     POST <path>/git-<service>
///     GET  <path>/<name>.bundle
///     GET  /-/<page>
///
/// Nothing else is served: no file of a repository is, but the bundles that it lists for its clients.
enum SmartRoute: Sendable {
    case advertise([ByteString], SmartService)
    case call([ByteString], SmartService)
    /// A path of a repository, and of a bundle in it.
    case bundle([ByteString])
    case page(ByteString)

    /// Why there is no route.
    enum Fault: Error {
        case notFound
        case methodNotAllowed(String)
        case dumbClient
    }

    init(_ head: RequestHead) throws(Fault) {
        let path = head.target.path
        let isRead = head.method == "GET" || head.method == "HEAD"
        if path.first == "-", path.count == 2 {
            guard isRead else { throw .methodNotAllowed("GET, HEAD") }
            self = .page(path[1])
        } else if path.suffix(2) == ["info", "refs"], path.count > 2 {
            guard isRead else { throw .methodNotAllowed("GET, HEAD") }
            guard let name = head.target.value("service") else { throw .dumbClient }
            guard let service = SmartService(name: name) else { throw .notFound }
            self = .advertise(path.dropLast(2), service)
        } else if let last = path.last, path.count > 1, let service = SmartService(name: last) {
            guard head.method == "POST" else { throw .methodNotAllowed("POST") }
            self = .call(path.dropLast(), service)
        } else if let last = path.last, path.count > 1, last.hasSuffix(".bundle") {
            guard isRead else { throw .methodNotAllowed("GET, HEAD") }
            self = .bundle(path)
        } else {
            throw .notFound
        }
    }
}
