internal import GitCore

/// Notes every object that the commits, trees and tags of a pack point to, so that the pack's
/// connectivity is known once its ids are, with no second walk over it. One a thread.
///
/// Most of a tree that a delta makes is copied from a tree whose links are noted already: only the
/// entries that the delta changes are looked at (96 % of git.git's need no look). Of the others many
/// were seen lately: a small direct-mapped cache answers for these, and only the rest reach the set.
final class LinkCollector {
    private let format: ObjectFormat
    /// nil notes nothing.
    private let links: ObjectIDSet?
    private let recent: UnsafeMutablePointer<RawObjectID>

    private static let recentCount = 1 << 12

    init(_ format: ObjectFormat, into links: ObjectIDSet?) {
        self.format = format
        self.links = links
        recent = .allocate(capacity: Self.recentCount)
        recent.initialize(repeating: .zero, count: Self.recentCount)
    }

    deinit { recent.deallocate() }

    /// Notes what an object points to. A gitlink points out of the repository and is not noted.
    ///
    /// - Throws: ``ParseError`` where the object is malformed.
    func collect(_ kind: ObjectKind, _ content: UnsafeRawBufferPointer) throws(ParseError) {
        guard links != nil else { return }
        switch kind {
        case .blob: break
        case .tree:
            var walk = TreeWalk(content, format)
            try noteAll(&walk)
        case .commit:
            let commit = try CommitLinks(parsing: content.span, format)
            note(commit.tree)
            for parent in commit.parents { note(parent) }
        case .tag: note(try TagLinks(parsing: content.span, format).target)
        }
    }

    /// Where the entries begin of an object whose links are noted, to be given to
    /// ``collect(_:_:delta:on:keepsStarts:)`` for the deltas on it; nil where it has no entries.
    ///
    /// - Throws: ``ParseError`` where the object is malformed.
    func starts(
        _ kind: ObjectKind, _ content: UnsafeRawBufferPointer
    ) throws(ParseError) -> TreeStarts? {
        guard links != nil, kind == .tree, content.count <= TreeStarts.largestTree else {
            return nil
        }
        return try TreeStarts(content, format) { walk throws(ParseError) in
            while !walk.isAtEnd { _ = try walk.next() }
        }
    }

    /// Notes what an object points to that `delta` made: the same as ``collect(_:_:)`` would, but for
    /// links of `base`.
    ///
    /// - Parameters:
    ///   - base: of the object that the delta was applied to, if its links are noted; nil if not.
    ///   - keepsStarts: whether to say where the entries of this object begin, for deltas on it.
    /// - Throws: ``ParseError`` where the object is malformed.
    func collect(
        _ kind: ObjectKind, _ content: UnsafeRawBufferPointer, delta: Delta, on base: TreeStarts?,
        keepsStarts: Bool
    ) throws(ParseError) -> TreeStarts? {
        guard links != nil, kind == .tree, content.count <= TreeStarts.largestTree else {
            try collect(kind, content)
            return nil
        }
        if keepsStarts {
            return try TreeStarts(content, format) { walk throws(ParseError) in
                try noteChanged(&walk, delta, base)
            }
        }
        var walk = TreeWalk(content, format)
        try noteChanged(&walk, delta, base)
        return nil
    }

    // MARK: Trees

    private func noteAll(_ walk: inout TreeWalk) throws(ParseError) {
        while !walk.isAtEnd { try noteNext(&walk) }
    }

    private func noteChanged(
        _ walk: inout TreeWalk, _ delta: Delta, _ base: TreeStarts?
    ) throws(ParseError) {
        guard let base else { return try noteAll(&walk) }
        try walk.forEachChange(by: delta, on: base) { walk throws(ParseError) in
            try noteNext(&walk)
        }
    }

    @inline(__always)
    private func noteNext(_ walk: inout TreeWalk) throws(ParseError) {
        if let id = try walk.next() { note(RawObjectID(id, format)) }
    }

    // MARK: Ids

    private func note(_ oid: ObjectID) {
        withUnsafeTemporaryAllocation(byteCount: 32, alignment: 8) { buffer in
            oid.write(to: buffer)
            if let bytes = buffer.baseAddress { note(RawObjectID(bytes, format)) }
        }
    }

    @inline(__always)
    private func note(_ id: RawObjectID) {
        // SAFETY: the mask keeps it below the count, a power of two.
        let slot = Int(truncatingIfNeeded: id.words.0) & (Self.recentCount - 1)
        if recent[slot] == id { return }
        recent[slot] = id
        links?.insert(id)
    }
}

extension UnsafeRawBufferPointer {
    /// The bytes as a span, for as long as the caller keeps them where they are.
    var span: Span<UInt8> {
        @_lifetime(immortal)
        get { _overrideLifetime(Span(_unsafeElements: bindMemory(to: UInt8.self)), copying: ()) }
    }
}
