import GitClient
import GitCore
import GitServer
import GitStore
import GitWire
import Synchronization

/// Answers the requests of a cache's clients.
final class CacheHandler: HTTPHandler {
    private let core: CacheCore
    private let hosts: UpstreamHosts
    private let log: RequestRecorder

    init(_ core: CacheCore, _ hosts: UpstreamHosts, _ log: RequestRecorder) {
        self.core = core
        self.hosts = hosts
        self.log = log
    }

    /// Upstream may mean something by it (GitLab's API does); no repository's path has one.
    var allowsEncodedSlash: Bool { true }

    func finished(_ record: HTTPRecord) { log.add(record) }

    func refuse(_ head: RequestHead) -> GitServer.HTTPResponse? {
        switch CacheRoute(head, hosts.current) {
        case nil: return Self.unknownHost
        case .fetch:
            guard head.headers.value("content-type") == "application/x-git-upload-pack-request"
            else {
                return GitServer.HTTPResponse(
                    415,
                    text: "Expected POST with Content-Type 'application/x-git-upload-pack-request'."
                )
            }
            return nil
        case .other:
            guard Forwarder.refusedMethods.contains(head.method) else { return nil }
            return GitServer.HTTPResponse(405, text: "\(head.method) is not passed on.").uncached
        case .advertise, .lfsBatch, .lfsObject, .page: return nil
        }
    }

    private static var unknownHost: GitServer.HTTPResponse {
        GitServer.HTTPResponse(404, text: "No such upstream.").uncached
    }

    func answer(_ exchange: HTTPExchange) {
        do {
            switch CacheRoute(exchange.head, hosts.current) {
            case .page(let name): exchange.respond(log.page(name))
            case .advertise(let address):
                try orPassedBy(address, "info/refs", exchange, []) {
                    try advertise(address, exchange)
                }
            case .fetch(let address):
                let body = try RequestBody(exchange, maximum: Self.largestBody).all()
                try orPassedBy(address, "git-upload-pack", exchange, body) {
                    try fetch(address, body, exchange)
                }
            case .lfsBatch(let address):
                try core.forwarder.forward(
                    exchange, to: address.host, address.path + ["info", "lfs", "objects", "batch"],
                    revising: LFSBatch(exchange.head, address, core))
            case .lfsObject(let address, let oid, let token):
                try LFSObject(core, exchange, address, oid, token).answer()
            case .other(let host, let path):
                try core.forwarder.forward(exchange, to: host, path)
            // Since it was looked at first, the host has gone.
            case nil: exchange.respond(Self.unknownHost)
            }
        } catch let fault as BodyFault {
            exchange.note("error", "\(fault)")
            exchange.respond(GitServer.HTTPResponse(bodyFault: fault))
        } catch is ExchangeEnded {
            exchange.fail()
        } catch let refusal as StatusRefusal {
            exchange.note("error", refusal.reason)
            exchange.respond(refusal.response)
        } catch {
            exchange.note("error", "\(error)")
            exchange.respond(
                GitServer.HTTPResponse(500, text: "The cache failed; its log says more.").uncached)
        }
    }

    private func credentials(_ exchange: HTTPExchange) -> ClientCredentials {
        ClientCredentials(exchange.head.headers, core.key)
    }

    private func version(_ exchange: HTTPExchange) -> ProtocolVersion {
        let version = ProtocolVersion(
            askedBy: exchange.head.headers.value("git-protocol") ?? "")
        exchange.note("protocol", "\(version.rawValue)")
        return version
    }

    /// What cannot be answered here, or not soon (``PassedBy``), upstream answers by itself.
    private func orPassedBy(
        _ address: RepositoryAddress, _ tail: ByteString, _ exchange: HTTPExchange,
        _ body: [UInt8], _ answer: () throws -> Void
    ) throws {
        do { try answer() } catch let passed as PassedBy {
            exchange.note("cache", "passed")
            core.metrics.passed()
            if let cause = passed.cause { exchange.note("error", cause.message) }
            try core.forwarder.forward(
                exchange, body, to: address.host, address.path + tail.split(0x2f))
        }
    }

    private func advertise(_ address: RepositoryAddress, _ exchange: HTTPExchange) throws {
        exchange.note("service", "upload-pack")
        try UpstreamFailure.passingOn {
            let credentials = credentials(exchange)
            let shown = try core.open(address, credentials, isGone: { exchange.isCancelled })
            let refs = try refs(address, credentials, shown, exchange)
            try core.engine.advertise(
                refs.mirror.repository, refs, version(exchange), exchange)
        }
    }

    private func fetch(
        _ address: RepositoryAddress, _ body: [UInt8], _ exchange: HTTPExchange
    ) throws {
        exchange.note("service", "upload-pack")
        try UpstreamFailure.passingOn {
            let credentials = credentials(exchange)
            let shown = try core.standing(
                address, credentials, isGone: { exchange.isCancelled })
            let refs = try refs(address, credentials, shown, exchange)
            do {
                try core.engine.answer(
                    body, refs.mirror.repository, refs, version(exchange), exchange,
                    keeper: KeptFetch(core, refs.mirror, exchange),
                    packs: refs)
            } catch let error as StoreError {
                core.suspect(refs.mirror, error)
                throw error
            }
        }
    }

    /// Bytes of a request for a fetch, decompressed.
    private static let largestBody: UInt64 = 10 << 20

    private func refs(
        _ address: RepositoryAddress, _ credentials: ClientCredentials, _ shown: ShownByUpstream,
        _ exchange: HTTPExchange
    ) throws -> CacheRefs {
        if shown.session == nil {
            exchange.note("stale", "true")
            core.metrics.stale()
        }
        let mirror = try PassedBy.catching { try core.mirrors.mirror(address.mirror, shown.format) }
        // A purge gives older requests up, then takes what mirror there is: none of them has a later one.
        if exchange.isCancelled { throw ExchangeEnded() }
        return CacheRefs(
            core, address, credentials, PeerNetwork(exchange.head.peer), mirror,
            isGone: { exchange.isCancelled })
    }
}
