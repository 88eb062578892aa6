package import GitCore

/// An object of a store, read as far as is asked for.
package struct StoredObject: ~Copyable {
    package let oid: ObjectID
    private let database: ObjectDatabase
    /// A copy that is known.
    private let place: ObjectDatabase.Place?
    private let tools: ReadingTools?

    package init(_ oid: ObjectID, in database: ObjectDatabase) { self.init(oid, database) }

    /// - Parameters:
    ///   - place: a copy to begin with.
    ///   - tools: those of the thread that uses the object.
    init(
        _ oid: ObjectID, _ database: ObjectDatabase, at place: ObjectDatabase.Place? = nil,
        _ tools: ReadingTools? = nil
    ) {
        self.oid = oid
        self.database = database
        self.place = place
        self.tools = tools
    }

    /// Its kind, and the size of its content in bytes.
    ///
    /// - Throws: ``StoreError/Code/notFound``; ``StoreError/Code/corrupt``.
    package func header() throws(StoreError) -> (kind: ObjectKind, size: UInt64) {
        try database.at(oid, first: place, tools) { place, tools throws(StoreError) in
            switch place {
            case .packed(let pack, let offset): try pack.header(at: offset, tools)
            case .loose(let loose, _): try loose.header(oid)
            }
        }
    }

    /// Bytes that it takes on disk, and the object that it is a delta on, if it is one.
    package func storage() throws(StoreError) -> (size: UInt64, deltaBase: ObjectID?) {
        try database.at(oid, first: place, tools) { place, tools throws(StoreError) in
            switch place {
            case .packed(let pack, let offset): try pack.storage(at: offset, tools)
            case .loose(let loose, _):
                FileSystem.status(loose.path(oid)).map { (UInt64(clamping: $0.st_size), nil) }
            }
        }
    }

    /// Gives `body` the content, to be used before it returns.
    package func content(
        _ body: (StoredContent) throws -> Void
    ) throws(StoreError) {
        // Once anything was handed over, another copy would not do.
        var failure: (any Error)?
        try database.at(oid, first: place, tools) { place, tools throws(StoreError) -> Void? in
            let content: StoredContent? =
                switch place {
                case .packed(let pack, let offset): try pack.content(at: offset, tools)
                case .loose(let loose, _): try loose.content(oid)
                }
            guard let content else { return nil }
            do { try body(content) } catch { failure = error }
            return ()
        }
        guard let failure else { return }
        throw (failure as? StoreError) ?? StoreError(.system, "\(failure)", cause: failure)
    }
}

/// An object's content, in memory or to be inflated.
package struct StoredContent {
    package let kind: ObjectKind
    /// In bytes.
    package let size: UInt64
    private let source: Source

    private enum Source {
        case memory([UInt8])
        case packed(Pack, PackEntry, ReadingTools)
        case loose(LooseStore, ObjectID)
    }

    init(_ object: GitObject) {
        kind = object.kind
        size = UInt64(object.content.count)
        source = .memory(object.content)
    }

    fileprivate init(_ kind: ObjectKind, _ pack: Pack, _ entry: PackEntry, _ tools: ReadingTools) {
        self.kind = kind
        size = entry.header.size
        source = .packed(pack, entry, tools)
    }

    fileprivate init(_ kind: ObjectKind, size: UInt64, _ loose: LooseStore, _ oid: ObjectID) {
        self.kind = kind
        self.size = size
        source = .loose(loose, oid)
    }

    /// Hands it over from front to back: in one piece, if it is small.
    ///
    /// - Throws: ``StoreError``, what `sink` throws in one.
    package func forEachPiece(
        _ sink: (UnsafeRawBufferPointer) throws -> Void
    ) throws(StoreError) {
        switch source {
        case .memory(let bytes):
            do { try bytes.withUnsafeBytes(sink) } catch {
                throw (error as? StoreError) ?? StoreError(.system, "\(error)", cause: error)
            }
        case .packed(let pack, let entry, let tools): try pack.stream(entry, tools, sink)
        case .loose(let loose, let oid):
            guard try loose.stream(oid, sink) else {
                throw StoreError(.notFound, "object \(oid) is not in the repository")
            }
        }
    }
}

extension Pack {
    fileprivate func content(
        at offset: UInt64, _ tools: ReadingTools
    ) throws(StoreError) -> StoredContent {
        let entry = try entry(at: offset, tools)
        if case .none(let kind) = entry.header.base, entry.header.size > Self.largeSize {
            return StoredContent(kind, self, entry, tools)
        }
        return StoredContent(try object(at: offset, tools))
    }

    /// Bytes on disk of the entry at `offset`, and the object that it is a delta on.
    fileprivate func storage(
        at offset: UInt64, _ tools: ReadingTools
    ) throws(StoreError) -> (size: UInt64, deltaBase: ObjectID?) {
        let base = try baseOffset(of: try entry(at: offset, tools))
        let baseOID = if let base { try oid(at: base) } else { nil as ObjectID? }
        return (try packedSize(at: offset), baseOID)
    }
}

extension LooseStore {
    fileprivate func content(_ oid: ObjectID) throws(StoreError) -> StoredContent? {
        guard let header = try header(oid) else { return nil }
        guard header.size <= Pack.largeSize else {
            return StoredContent(header.kind, size: header.size, self, oid)
        }
        return try read(oid).map { StoredContent($0) }
    }
}
