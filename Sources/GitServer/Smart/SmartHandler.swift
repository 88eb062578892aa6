internal import CMicroHTTPD
internal import GitCore
internal import GitStore
internal import GitWire

/// Serves Git's protocol over HTTP as `git http-backend` does.
final class SmartHandler: HTTPHandler {
    private let repositories = ServedRepositories()
    private let ticker: Ticker
    private let prepared = PreparedPacks(admitted: Workers.processorCount)
    private let options: ServerOptions
    private let recorder: RequestRecorder

    init(_ options: ServerOptions, _ recorder: RequestRecorder) throws(ServerError) {
        self.options = options
        self.recorder = recorder
        do throws(StoreError) {
            ticker = try Ticker { [prepared] in
                if prepared.tidy() { apus_give_back_memory() }
            }
        } catch { throw ServerError(error) }
    }

    func finished(_ record: HTTPRecord) { recorder.add(record) }

    // MARK: By the head alone

    func refuse(_ head: RequestHead) -> HTTPResponse? {
        let route: SmartRoute
        do throws(SmartRoute.Fault) { route = try SmartRoute(head) } catch {
            return HTTPResponse(routeFault: error)
        }
        switch route {
        case .page, .bundle: return nil
        case .advertise(_, let service): return refuse(service)
        case .call(_, let service):
            let wanted = ByteString("application/x-git-\(service.rawValue)-request")
            guard head.headers.value("content-type") == wanted else {
                return HTTPResponse(415, text: "Expected POST with Content-Type '\(wanted)'.")
            }
            return refuse(service)
        }
    }

    private func refuse(_ service: SmartService) -> HTTPResponse? {
        guard service == .receivePack, !options.allowsPush else { return nil }
        return HTTPResponse(403, text: "Service not enabled: 'receive-pack'.")
    }

    // MARK: On a thread of the request's own

    func answer(_ exchange: HTTPExchange) {
        guard let route = try? SmartRoute(exchange.head) else { return }
        switch route {
        case .page(let name): exchange.respond(recorder.page(name))
        case .bundle(let path): sendBundle(path, exchange)
        case .advertise(let path, let service):
            guard let caller = admit(path, service, exchange) else { return }
            advertise(caller, exchange)
        case .call(let path, let service):
            guard let caller = admit(path, service, exchange) else { return }
            call(caller, exchange)
        }
    }

    /// Who asks what of which repository, once that is allowed.
    private struct Caller {
        let served: ServedRepository
        let service: SmartService
        let user: ByteString?
    }

    /// nil where the request has its answer.
    private func admit(
        _ path: [ByteString], _ service: SmartService, _ exchange: HTTPExchange
    ) -> Caller? {
        exchange.note("service", service.rawValue)
        let found = find(path, exchange)
        let decision: AccessDecision
        do {
            decision = try options.authorizer.decide(
                question(exchange.head, service, found?.name ?? RepositoryFolder.name(path)))
        } catch {
            exchange.note("error", "\(error)")
            exchange.respond(HTTPResponse(500, text: "Who may do what cannot be read.").uncached)
            return nil
        }
        guard case .allowed(let user) = decision else {
            exchange.respond(HTTPResponse(decision))
            return nil
        }
        if let user { exchange.note("user", user.printable) }
        guard let found, user != nil || found.isPublic, let served = served(found, exchange) else {
            exchange.respond(HTTPResponse(404, text: "Repository not found.").uncached)
            return nil
        }
        let isOn = service == .uploadPack ? served.allowsFetch : served.allowsPush
        guard isOn != false else {
            exchange.respond(
                HTTPResponse(403, text: "Service not enabled: '\(service.rawValue)'.").uncached)
            return nil
        }
        return Caller(served: served, service: service, user: user)
    }

    private func find(_ path: [ByteString], _ exchange: HTTPExchange) -> FoundRepository? {
        do { return try options.repositories.find(path) } catch {
            exchange.note("error", "\(error)")
            return nil
        }
    }

    private func served(
        _ found: FoundRepository, _ exchange: HTTPExchange
    ) -> ServedRepository? {
        do throws(StoreError) { return try repositories.served(found.repository) } catch {
            exchange.note("error", error.message)
            return nil
        }
    }

    private func question(
        _ head: RequestHead, _ service: SmartService, _ name: ByteString
    ) -> AccessQuestion {
        let field = head.headers.value("authorization")
        let login = field.flatMap { Login($0) }
        return AccessQuestion(
            login: login, hasBadLogin: field != nil && login == nil, peer: head.peer,
            repository: name, writes: service == .receivePack)
    }

    private func advertise(_ caller: Caller, _ exchange: HTTPExchange) {
        let version = Self.version(exchange)
        let answer = HTTPAnswer(
            exchange,
            contentType: "application/x-git-\(caller.service.rawValue)-advertisement")
        run(answer, exchange) {
            switch caller.service {
            case .uploadPack:
                try UploadPackService(
                    served: caller.served, output: answer, ticker: ticker, prepared: prepared
                )
                .advertise(version)
            case .receivePack:
                try ReceivePackService(served: caller.served, output: answer, ticker: ticker)
                    .advertise(version)
            }
        }
    }

    /// How many components of a bundle's path are its repository's; all but the last where none are.
    private func repositoryDepth(_ path: [ByteString]) -> Int {
        let counts = max(1, path.count - BundleFiles.deepest) ..< path.count
        let found = counts.first { count in
            (try? options.repositories.find(Array(path[..<count]))) ?? nil != nil
        }
        return found ?? path.count - 1
    }

    private func sendBundle(_ path: [ByteString], _ exchange: HTTPExchange) {
        let count = repositoryDepth(path)
        guard let caller = admit(Array(path[..<count]), .uploadPack, exchange) else { return }
        let repository = caller.served.repository
        guard
            let file = caller.served.uploadPack.bundleFiles.open(
                Array(path[count...]), in: repository.gitDirectory)
        else { return exchange.respond(HTTPResponse(404, text: "Not found.").uncached) }
        exchange.respond(
            HTTPResponse(
                file: file.descriptor, file.status, for: exchange.head,
                headers: [("Content-Type", "application/octet-stream")] + HTTPResponse.noCache))
    }

    private func call(_ caller: Caller, _ exchange: HTTPExchange) {
        let answer = HTTPAnswer(
            exchange, contentType: "application/x-git-\(caller.service.rawValue)-result")
        do throws(BodyFault) {
            switch caller.service {
            case .uploadPack:
                let reader = try RequestBody(exchange, maximum: options.maximumRequestBody)
                fetch(caller, try reader.all(), answer, exchange)
            case .receivePack:
                push(caller, try RequestBody(exchange, maximum: .max), answer, exchange)
            }
        } catch {
            exchange.note("error", "\(error)")
            exchange.respond(HTTPResponse(bodyFault: error))
        }
    }

    private func fetch(
        _ caller: Caller, _ body: [UInt8], _ answer: HTTPAnswer, _ exchange: HTTPExchange
    ) {
        let version = Self.version(exchange)
        run(answer, exchange) {
            try UploadPackService(
                served: caller.served, output: answer, ticker: ticker, prepared: prepared
            )
            .answer(body, version)
        }
    }

    private func push(
        _ caller: Caller, _ body: RequestBody, _ answer: HTTPAnswer, _ exchange: HTTPExchange
    ) {
        let pusher = Pusher(user: caller.user, peer: exchange.head.peer)
        run(answer, exchange) {
            try ReceivePackService(served: caller.served, output: answer, ticker: ticker)
                .take(pusher) {
                    do throws(BodyFault) { return try body.next() } catch {
                        if error == .ended { throw ExchangeEnded() }
                        throw error
                    }
                }
        }
    }

    private func run(_ answer: HTTPAnswer, _ exchange: HTTPExchange, _ body: () throws -> Void) {
        do {
            try body()
            answer.end()
        } catch is ExchangeEnded {
            answer.fail()
        } catch {
            exchange.note("error", "\(error)")
            answer.end()
        }
    }

    private static func version(_ exchange: HTTPExchange) -> ProtocolVersion {
        let version = ProtocolVersion(
            askedBy: exchange.head.headers.value("git-protocol") ?? "")
        exchange.note("protocol", "\(version.rawValue)")
        return version
    }
}
