package import GitCore
package import GitStore
package import GitWire

/// upload-pack over HTTP for repositories that show other refs than their own.
package final class UploadPackEngine: Sendable {
    private let repositories = ServedRepositories()
    private let prepared: PreparedPacks
    private let ticker: Ticker

    /// - Throws: ``ServerError`` where there is no thread to be had.
    package init() throws(ServerError) {
        let prepared = PreparedPacks(admitted: Workers.processorCount)
        self.prepared = prepared
        do throws(StoreError) {
            ticker = try Ticker { _ = prepared.tidy() }
        } catch { throw ServerError(error) }
    }

    /// Lets go of a repository that is asked for no more.
    package func forget(_ repository: Repository) { repositories.forget(repository) }

    /// What a client may ask for.
    package func offer(_ repository: Repository) throws(StoreError) -> UploadPackOffer {
        try repositories.served(repository).uploadPack.offer(repository.format)
    }

    /// Whether all of these objects are there, and `refs` lead to them.
    package func leads(
        _ refs: ShownRefs, to oids: [ObjectID], in repository: Repository
    ) throws(StoreError) -> Bool {
        for oid in oids where try !repository.objects.contains(oid) { return false }
        let reachable = try repositories.served(repository).reachable(from: refs.tips, shallow: [])
        return try reachable.firstUnreached(oids, CancellationFlag()) == nil
    }

    /// Answers `info/refs`.
    ///
    /// - Throws: ``BeforeAnswer`` where nothing has been sent; all else the client has been told.
    package func advertise(
        _ repository: Repository, _ refs: any RefSource, _ version: ProtocolVersion,
        _ exchange: HTTPExchange
    ) throws {
        try run(exchange, "application/x-git-upload-pack-advertisement") { answer in
            try service(repository, refs, answer).advertise(version)
        }
    }

    /// Answers a request.
    ///
    /// - Throws: as ``advertise(_:_:_:_:)``.
    package func answer(
        _ body: [UInt8], _ repository: Repository, _ refs: any RefSource,
        _ version: ProtocolVersion, _ exchange: HTTPExchange, keeper: (any PackKeeper)? = nil,
        packs: (any PackSource)? = nil
    ) throws {
        try run(exchange, Self.resultType) { answer in
            var service = try service(repository, refs, answer)
            service.keeper = keeper
            service.packs = packs
            do { try service.answer(body, version) } catch {
                keeper?.finish(error)
                throw error
            }
            keeper?.finish(nil)
        }
    }

    package static let resultType = "application/x-git-upload-pack-result"

    private func service(
        _ repository: Repository, _ refs: any RefSource, _ answer: HTTPAnswer
    ) throws -> UploadPackService {
        var service = UploadPackService(
            served: try repositories.served(repository), output: answer, ticker: ticker,
            prepared: prepared)
        service.givenRefs = refs
        return service
    }

    private func run(
        _ exchange: HTTPExchange, _ contentType: String, _ body: (HTTPAnswer) throws -> Void
    ) throws {
        let answer = HTTPAnswer(exchange, contentType: contentType)
        do {
            try body(answer)
            answer.end()
        } catch let error as any BeforeAnswer {
            throw error
        } catch is ExchangeEnded {
            answer.fail()
            throw ExchangeEnded()
        } catch {
            answer.end()
            throw error
        }
    }
}
