package import GitCore
import GitStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// What an operator does with a store: asked of the cache that runs on it, and done here where none does.
package struct StoreControl: Sendable {
    private let store: ByteString

    /// - Throws: ``CacheError/Code/unknown`` where there is no store.
    package init(_ store: ByteString) throws(CacheError) {
        guard FileSystem.isDirectory(store / "mirrors"), FileSystem.isDirectory(store / "answers")
        else { throw CacheError(.unknown, "there is no store of a cache in '\(store)'") }
        self.store = store
    }

    /// Tells what the cache has and does, line by line.
    package func status(asJSON: Bool, _ tell: (String) -> Void) throws(CacheError) {
        if try ask(.status(asJSON: asJSON), tell) { return }
        for line in try CacheStatus(store: store).lines(asJSON: asJSON) { tell(line) }
    }

    /// Forgets a repository, `HOST/path` or a URL that means one.
    ///
    /// - Throws: ``CacheError/Code/unknown`` where nothing is kept of it, ``CacheError/Code/refused`` with the
    ///   same words from a cache that runs.
    package func purge(_ repository: ByteString, _ tell: (String) -> Void) throws(CacheError) {
        if try ask(.purge(repository), tell) { return }
        try alone { caretaker throws(CacheError) in
            try caretaker.purge(repository) { text in
                tell(text)
                return true
            }
        }
    }

    /// Holds all that is kept against what was written; what is damaged goes.
    ///
    /// - Throws: ``CacheError/Code/damaged`` where anything was; ``CacheError/Code/refused`` for the same.
    package func verify(_ tell: (String) -> Void) throws(CacheError) {
        if try ask(.verify, tell) { return }
        try alone { caretaker throws(CacheError) in
            try caretaker.verify { text in
                tell(text)
                return true
            }
        }
    }

    // MARK: A cache that runs

    /// False where none does.
    private func ask(
        _ request: ControlRequest, _ tell: (String) -> Void
    ) throws(CacheError) -> Bool {
        let line = try request.line()
        guard let connection = try ControlSocket.connect(in: store) else { return false }
        guard geteuid() == 0 || ControlSocket.isOwn(connection) else {
            throw CacheError(
                .refused, "the cache on '\(store)' is run by another user: only that one may ask it"
            )
        }
        guard ControlSocket.send(line, on: connection) else { throw Self.ended }
        var reader = LineReader(limit: ControlLine.longest)
        let deadline: ContinuousClock.Instant? =
            if case .status = request { .now + Self.patience } else { nil }
        while true {
            guard case .line(let bytes) = reader.next(from: connection, by: deadline) else {
                throw Self.ended
            }
            switch ControlLine(parsing: bytes) {
            case .text(let text): tell(text)
            case .ok: return true
            case .error(let text): throw CacheError(.refused, text)
            case nil: throw CacheError(.refused, "what answers at '\(store)/control' is no cache")
            }
        }
    }

    /// How long a status may take; what else is asked for may read all that is kept.
    private static let patience: Duration = .seconds(60)

    private static var ended: CacheError {
        CacheError(.refused, "the cache ended before it answered, or is busy with other commands")
    }

    // MARK: None

    private func alone(
        _ body: (Caretaker) throws(CacheError) -> Void
    ) throws(CacheError) {
        guard FileSystem.status(store)?.st_uid == geteuid() else {
            throw CacheError(.refused, "'\(store)' belongs to another user")
        }
        // The budgets are those of a cache that runs; nothing is to leave here for them.
        var options = AnswerStore.Options(budget: .max)
        options.count = .max
        let answers = try AnswerStore(store, options)
        let mirrors = try MirrorFolder(store / "mirrors", budget: .max)
        defer { mirrors.stop() }
        try body(Caretaker(mirrors: mirrors, answers: answers, running: nil))
    }
}
