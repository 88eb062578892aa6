public import GitCore

// The fields of `for-each-ref --format` that are known here (git-for-each-ref, "FIELD NAMES"):
//
//     refname  refname:short    objectname  objectname:short  objectname:short=<n>
//     objecttype  objectsize    symref      HEAD: `*` for the branch that is checked out, else blank
//     *objectname  *objecttype  of what a tag leads to

/// A format for refs.
public struct RefFields: Sendable {
    private enum Field {
        case name
        case shortName
        case oid
        case shortOID(Int?)
        case type
        case size
        case symbolicTarget
        case head
        case peeledOID
        case peeledType
    }

    private let template: FormatTemplate
    private let fields: [String: Field]

    public static let standard: ByteString = "%(objectname) %(objecttype)\t%(refname)"

    /// - Throws: ``StoreError/Code/invalid`` for an unknown field, or one without an end.
    public init(_ format: ByteString) throws(StoreError) {
        do throws(ParseError) {
            template = try FormatTemplate(format, readsHexBytes: true)
        } catch {
            throw StoreError(.invalid, "malformed format string \(format)", cause: error)
        }
        var fields: [String: Field] = [:]
        for name in template.fields {
            guard let field = Self.field(name) else {
                throw StoreError(.invalid, "unknown field name: \(ByteString(name))")
            }
            fields[name] = field
        }
        self.fields = fields
    }

    private static func field(_ name: String) -> Field? {
        switch name {
        case "refname": return .name
        case "refname:short": return .shortName
        case "objectname": return .oid
        case "objectname:short": return .shortOID(nil)
        case "objecttype": return .type
        case "objectsize": return .size
        case "symref": return .symbolicTarget
        case "HEAD": return .head
        case "*objectname": return .peeledOID
        case "*objecttype": return .peeledType
        default:
            let prefix = "objectname:short="
            guard name.hasPrefix(prefix), let digits = Int(name.dropFirst(prefix.count)), digits > 0
            else { return nil }
            return .shortOID(digits)
        }
    }

    /// The line for one ref, without its end.
    public func text(_ entry: RefEntry, in repository: Repository) throws(StoreError) -> ByteString
    {
        try template.expanded { (name) throws(StoreError) in
            guard let field = fields[name] else { return "" }
            return try value(field, entry, repository)
        }
    }

    private func value(
        _ field: Field, _ entry: RefEntry, _ repository: Repository
    ) throws(StoreError) -> ByteString {
        let objects = repository.objects
        switch field {
        case .name: return entry.name.bytes
        case .shortName: return try repository.refs.unambiguousShortName(entry.name)
        case .oid: return ByteString(entry.oid.hexBytes)
        case .shortOID(let digits):
            let minimum = if let digits { digits } else { try repository.abbreviationLength() }
            return try objects.abbreviated(entry.oid, minimum: minimum)
        case .type: return ByteString(try kind(entry.oid, entry, objects).name)
        case .size: return ByteString("\(try objects.header(entry.oid).size)")
        case .symbolicTarget:
            guard case .symbolic(let target) = entry.ref else { return "" }
            return target.bytes
        case .head:
            let isHead = try repository.refs.read(.head) == .symbolic(entry.name)
            return isHead ? "*" : " "
        case .peeledOID: return ByteString(entry.peeled?.hexBytes ?? [])
        case .peeledType:
            guard let peeled = entry.peeled else { return "" }
            return ByteString(try kind(peeled, entry, objects).name)
        }
    }

    private func kind(
        _ oid: ObjectID, _ entry: RefEntry, _ objects: ObjectDatabase
    ) throws(StoreError) -> ObjectKind {
        do {
            return try objects.header(oid).kind
        } catch  where error.code == .notFound {
            throw StoreError(.notFound, "missing object \(oid) for \(entry.name)", cause: error)
        }
    }
}

extension RefStore {
    /// The shortest name that, taken for a revision, means this ref and could mean no other.
    public func unambiguousShortName(_ name: RefName) throws(StoreError) -> ByteString {
        for prefix in Self.prefixes.reversed() where name.bytes.hasPrefix(prefix) {
            let short = name.bytes.dropFirst(prefix.count)
            var isTaken = false
            for other in Self.prefixes + [""] where other != prefix {
                guard let candidate = RefName(other + short) else { continue }
                if try resolve(candidate) != nil { isTaken = true }
            }
            if !isTaken { return short }
        }
        return name.bytes
    }

    /// What a short name may leave out.
    private static let prefixes: [ByteString] = [
        "refs/", "refs/tags/", "refs/heads/", "refs/remotes/",
    ]
}
