public import GitCore

/// Peels many tags, looking at each object once, however many refs and tags lead to it.
package struct TagPeeler {
    private let objects: ObjectDatabase
    /// What is behind the tags that were gone through; behind what is no tag, itself.
    private var known: [ObjectID: ObjectID] = [:]

    package init(_ objects: ObjectDatabase) { self.objects = objects }

    /// What is behind the tag `oid`; nil where it is no tag, or is missing.
    package mutating func peeled(_ oid: ObjectID) throws(StoreError) -> ObjectID? {
        var tags: [ObjectID] = []
        var end = oid
        while true {
            if let target = known[end] {
                end = target
                break
            }
            guard try objects.kind(end) == .tag else { break }
            guard tags.count < ObjectDatabase.maximumTagDepth else { throw .tooManyTags }
            tags.append(end)
            end = try objects.tag(end).target
        }
        known[end] = end
        for tag in tags { known[tag] = end }
        return end == oid ? nil : end
    }
}

extension StoreError {
    fileprivate static let tooManyTags = StoreError(
        .limit, "more than \(ObjectDatabase.maximumTagDepth) tags one behind the other")
}

extension ObjectDatabase {
    /// As many tags as may stand one behind the other.
    fileprivate static let maximumTagDepth = 1_000

    /// What a ref to this object needs to know of it; nil where it is missing.
    package func refTarget(_ oid: ObjectID) throws(StoreError) -> RefTarget? {
        guard let kind = try kind(oid) else { return nil }
        return RefTarget(kind: kind, peeled: kind == .tag ? try peeled(oid) : nil)
    }

    /// The first object behind `oid` and behind any tags on the way that is no tag itself; `oid` where
    /// it is none. The object found need not be there.
    public func peeled(_ oid: ObjectID) throws(StoreError) -> ObjectID {
        var oid = oid
        for _ in 0 ... Self.maximumTagDepth {
            guard try kind(oid) == .tag else { return oid }
            oid = try tag(oid).target
        }
        throw .tooManyTags
    }

    /// The object of that kind that `oid` leads to: through tags, and from a commit to its tree.
    ///
    /// - Throws: ``StoreError/Code/notFound`` where it is missing or leads to none.
    public func peel(_ oid: ObjectID, to wanted: ObjectKind) throws(StoreError) -> ObjectID {
        var oid = oid
        for _ in 0 ... Self.maximumTagDepth {
            switch try header(oid).kind {
            case wanted: return oid
            case .tag: oid = try tag(oid).target
            case .commit where wanted == .tree: oid = try commit(oid).tree
            case let kind:
                throw StoreError(
                    .notFound, "object \(oid) is a \(kind.name), not a \(wanted.name)")
            }
        }
        throw .tooManyTags
    }

    /// What a commit points to.
    public func commit(_ oid: ObjectID) throws(StoreError) -> CommitLinks {
        let object = try read(oid)
        guard object.kind == .commit else {
            throw StoreError(.corrupt, "object \(oid) is a \(object.kind.name), not a commit")
        }
        do throws(ParseError) {
            return try CommitLinks(parsing: object.content.span, format)
        } catch {
            throw StoreError("commit \(oid)", error)
        }
    }

    /// What a tag points to.
    public func tag(_ oid: ObjectID) throws(StoreError) -> TagLinks {
        let object = try read(oid)
        guard object.kind == .tag else {
            throw StoreError(.corrupt, "object \(oid) is a \(object.kind.name), not a tag")
        }
        do throws(ParseError) {
            return try TagLinks(parsing: object.content.span, format)
        } catch {
            throw StoreError("tag \(oid)", error)
        }
    }

    /// The entry of the tree at `path` (`a/b`), directories gone through; nil where there is none.
    public func entry(
        at path: ByteString, inTree tree: ObjectID
    ) throws(StoreError) -> TreeEntry? {
        var tree = tree
        var found: TreeEntry?
        for name in path.split(0x2f) {
            if let found {
                guard found.mode == .directory else { return nil }
                tree = found.oid
            }
            // A slash at the end asks for a directory and nothing in it.
            if name.isEmpty { continue }
            guard let entry = try child(name, of: tree) else { return nil }
            found = entry
        }
        return found
    }

    private func child(
        _ name: ByteString, of tree: ObjectID
    ) throws(StoreError) -> TreeEntry? {
        let object = try read(tree)
        guard object.kind == .tree else {
            throw StoreError(.corrupt, "object \(tree) is a \(object.kind.name), not a tree")
        }
        do throws(ParseError) {
            var reader = TreeReader(object.content.span, format)
            while let entry = try reader.next() {
                if entry.name == name { return entry }
            }
            return nil
        } catch {
            throw StoreError("tree \(tree)", error)
        }
    }

    fileprivate func kind(_ oid: ObjectID) throws(StoreError) -> ObjectKind? {
        do {
            return try header(oid).kind
        } catch  where error.code == .notFound { return nil }
    }
}
