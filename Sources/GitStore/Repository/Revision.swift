public import GitCore

// A revision (gitrevisions): a base, then any number of steps from it, front to back.
//
//     base    the whole hex oid, four digits of it or more, `<anything>-g<digits>`, `@` for HEAD, or a
//             ref: `$name`, refs/$name, refs/tags/$name, refs/heads/$name, refs/remotes/$name,
//             refs/remotes/$name/HEAD, the first that is there
//     ^  ^N   the first or Nth parent; ^0 is the commit itself
//     ~  ~N   N first parents up
//     ^{kind} the commit, tree, blob or tag that it leads to; ^{object} itself, if it is there
//     ^{}     the object behind any tags
//     :path   the entry of its tree; nothing can follow
//
// What asks for a reflog, an upstream or a search (`@{1}`, `@{u}`, `^{/text}`, `:/text`), and what
// asks for the index (`:path` without a base), is refused.

/// The object that a revision names.
public struct Revision: Hashable, Sendable {
    public let oid: ObjectID
    /// The ref that was named, if the revision is a ref's name and nothing more.
    public let ref: RefName?
    /// Other refs of that short name, passed over: worth a warning.
    public let alternatives: [RefName]
    /// The mode of the entry, if the revision ends in `:path`.
    public let mode: FileMode?
}

extension Repository {
    /// The object that `text` names.
    ///
    /// - Throws: ``StoreError/Code/notFound`` where it names none; ``StoreError/Code/invalid`` where it
    ///   could be several, which are listed, or is none of the forms that are known.
    public func resolve(revision text: ByteString) throws(StoreError) -> Revision {
        // Most of what programs ask for, by the hundred thousand.
        if text.count == format.hexCount, let oid = ObjectID(hex: text) {
            return Revision(oid: oid, ref: nil, alternatives: [], mode: nil)
        }
        var parser = RevisionParser(repository: self, text: text)
        return try parser.parse()
    }
}

/// Works a revision out, front to back.
private struct RevisionParser {
    private let repository: Repository
    private let text: ByteString
    private var rest: ArraySlice<UInt8>

    /// Fewest hex digits that stand for an object.
    private static let minimumAbbreviation = 4
    /// As many candidates as an error lists.
    private static let maximumListed = 20

    init(repository: Repository, text: ByteString) {
        self.repository = repository
        self.text = text
        rest = text.bytes[...]
    }

    private var objects: ObjectDatabase { repository.objects }

    private var missing: StoreError { StoreError(.notFound, "not a valid object name '\(text)'") }

    mutating func parse() throws(StoreError) -> Revision {
        let base = ByteString(rest.prefix { $0 != 0x5e && $0 != 0x7e && $0 != 0x3a })
        rest = rest.dropFirst(base.count)
        let start = try resolve(base: base)
        if rest.isEmpty { return start }
        var oid = start.oid
        while let sign = rest.popFirst() {
            switch sign {
            case 0x3a: return try entry(in: oid)
            case 0x7e: oid = try ancestor(of: oid, try number() ?? 1)
            case 0x5e where rest.first == 0x7b: oid = try peel(oid)
            case 0x5e: oid = try parent(of: oid, try number() ?? 1)
            default: throw missing
            }
        }
        return Revision(oid: oid, ref: nil, alternatives: [], mode: nil)
    }

    // MARK: The base

    private func resolve(base: ByteString) throws(StoreError) -> Revision {
        guard !base.isEmpty, !base.bytes.contains(0) else { throw missing }
        if base.count == repository.format.hexCount, let oid = ObjectID(hex: base) {
            return Revision(oid: oid, ref: nil, alternatives: [], mode: nil)
        }
        if let (ref, oid, others) = try resolve(ref: base == "@" ? "HEAD" : base) {
            return Revision(oid: oid, ref: ref, alternatives: others, mode: nil)
        }
        if base.bytes.contains(0x40), base.bytes.last == 0x7d {
            throw StoreError(.unsupported, "revisions with '@{' are not supported: '\(text)'")
        }
        guard let digits = abbreviation(base) else { throw missing }
        return Revision(oid: try expand(digits), ref: nil, alternatives: [], mode: nil)
    }

    private func resolve(
        ref short: ByteString
    ) throws(StoreError) -> (RefName, ObjectID, others: [RefName])? {
        var found: [(name: RefName, oid: ObjectID)] = []
        for (before, after) in Self.rules {
            guard let name = RefName(before + short + after),
                let oid = try repository.refs.resolve(name)?.oid
            else { continue }
            found.append((name, oid))
        }
        guard let first = found.first else { return nil }
        return (first.name, first.oid, found.dropFirst().map(\.name))
    }

    private static let rules: [(ByteString, ByteString)] = [
        ("", ""), ("refs/", ""), ("refs/tags/", ""), ("refs/heads/", ""), ("refs/remotes/", ""),
        ("refs/remotes/", "/HEAD"),
    ]

    /// The hex digits that stand for an object: all of the base, or what follows its last `-g`.
    private func abbreviation(_ base: ByteString) -> ByteString? {
        let tail = base.bytes.reversed().prefix(while: Self.isHexDigit).count
        guard (Self.minimumAbbreviation ... repository.format.hexCount).contains(tail),
            tail == base.count || base.dropLast(tail).hasSuffix("-g")
        else { return nil }
        return ByteString(base.bytes.suffix(tail))
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        (0x30 ... 0x39).contains(byte) || (0x61 ... 0x66).contains(byte | 0x20)
    }

    private func expand(_ digits: ByteString) throws(StoreError) -> ObjectID {
        let candidates = try objects.candidates(prefix: digits)
        guard let first = candidates.first else { throw missing }
        if candidates.count == 1 { return first }
        var fitting: [ObjectID] = []
        for oid in candidates where try fits(oid) { fitting.append(oid) }
        if fitting.count == 1 { return fitting[0] }
        var listed: [String] = []
        for oid in candidates.prefix(Self.maximumListed) {
            listed.append("\(oid) \(try objects.header(oid).kind.name)")
        }
        throw StoreError(
            .invalid,
            "short object ID \(digits) is ambiguous: it may be "
                + listed.joined(separator: ", "))
    }

    /// Whether the step that follows can be taken from this object.
    private func fits(_ oid: ObjectID) throws(StoreError) -> Bool {
        guard let wanted = wantedKind else { return true }
        do {
            _ = try objects.peel(oid, to: wanted)
            return true
        } catch  where error.code == .notFound { return false }
    }

    private var wantedKind: ObjectKind? {
        switch rest.first {
        case 0x3a: return .tree
        case 0x7e: return .commit
        case 0x5e:
            guard rest.dropFirst().first == 0x7b else { return .commit }
            return ObjectKind(name: rest.dropFirst(2).prefix { $0 != 0x7d })
        default: return nil
        }
    }

    // MARK: The steps

    /// The digits that follow; nil for none.
    private mutating func number() throws(StoreError) -> Int? {
        let digits = rest.prefix { (0x30 ... 0x39).contains($0) }
        rest = rest.dropFirst(digits.count)
        if digits.isEmpty { return nil }
        guard let value = Int(String(decoding: digits, as: UTF8.self)) else { throw missing }
        return value
    }

    private func parent(of oid: ObjectID, _ number: Int) throws(StoreError) -> ObjectID {
        let commit = try objects.peel(oid, to: .commit)
        if number == 0 { return commit }
        let parents = try objects.commit(commit).parents
        guard number <= parents.count else { throw missing }
        return parents[number - 1]
    }

    private func ancestor(of oid: ObjectID, _ generations: Int) throws(StoreError) -> ObjectID {
        var oid = try objects.peel(oid, to: .commit)
        for _ in 0 ..< generations {
            guard let parent = try objects.commit(oid).parents.first else { throw missing }
            oid = parent
        }
        return oid
    }

    /// `{kind}`, the brace still to be read.
    private mutating func peel(_ oid: ObjectID) throws(StoreError) -> ObjectID {
        guard let end = rest.firstIndex(of: 0x7d) else { throw missing }
        let name = ByteString(rest[(rest.startIndex + 1) ..< end])
        rest = rest[(end + 1)...]
        if name.isEmpty { return try objects.peeled(oid) }
        if name == "object" {
            guard try objects.contains(oid) else { throw missing }
            return oid
        }
        if name.hasPrefix("/") {
            throw StoreError(.unsupported, "revisions with '^{/' are not supported: '\(text)'")
        }
        guard let kind = ObjectKind(name: name.bytes) else { throw missing }
        return try objects.peel(oid, to: kind)
    }

    private func entry(in oid: ObjectID) throws(StoreError) -> Revision {
        let path = ByteString(rest)
        let tree = try objects.peel(oid, to: .tree)
        if path.isEmpty { return Revision(oid: tree, ref: nil, alternatives: [], mode: .directory) }
        guard !path.hasPrefix("/"), let entry = try objects.entry(at: path, inTree: tree) else {
            throw StoreError(
                .notFound,
                "path '\(path)' does not exist in '\(text.dropLast(path.count + 1))'")
        }
        return Revision(oid: entry.oid, ref: nil, alternatives: [], mode: entry.mode)
    }
}
