public import GitCore

// The fields of `cat-file --batch-check` (git-cat-file, "BATCH OUTPUT"):
//
//     objectname  objecttype  objectsize
//     objectsize:disk   bytes that the object takes in its pack, or as a file of its own
//     deltabase         the object that it is stored as a delta on; zeros for none
//     rest              what followed the name on the line of input

/// A format for objects: which fields, and so what has to be looked up.
public struct ObjectFields: Sendable {
    private enum Field: String, CaseIterable {
        case name = "objectname"
        case type = "objecttype"
        case size = "objectsize"
        case diskSize = "objectsize:disk"
        case deltaBase = "deltabase"
        case rest
    }

    private let template: FormatTemplate
    private let fields: Set<Field>

    /// What `--batch` and `--batch-check` print of each object unless told otherwise.
    public static let standard: ByteString = "%(objectname) %(objecttype) %(objectsize)"

    /// - Throws: ``StoreError/Code/invalid`` for an unknown field.
    public init(_ format: ByteString) throws(StoreError) {
        do throws(ParseError) {
            template = try FormatTemplate(format)
        } catch {
            let tail = format.dropFirst(Int(clamping: error.offset))
            throw StoreError(.invalid, "format element '\(tail)' does not end in ')'")
        }
        var fields: Set<Field> = []
        for name in template.fields {
            guard let field = Field(rawValue: name) else {
                throw StoreError(.invalid, "unknown format element: \(ByteString(name))")
            }
            fields.insert(field)
        }
        self.fields = fields
    }

    /// Whether a line of input is a name and something more.
    public var usesRest: Bool { fields.contains(.rest) }

    /// The line for one object, without its end.
    ///
    /// - Throws: ``StoreError/Code/notFound`` where the object is not there.
    public func text(
        _ oid: ObjectID, rest: ByteString, in objects: ObjectDatabase
    ) throws(StoreError) -> ByteString {
        let header = try objects.header(oid)
        let needsStorage = fields.contains(.diskSize) || fields.contains(.deltaBase)
        let storage = needsStorage ? try objects.storage(oid) : (size: 0, deltaBase: nil)
        return template.expanded { name in
            switch Field(rawValue: name) {
            case .name: ByteString(oid.hexBytes)
            case .type: ByteString(header.kind.name)
            case .size: ByteString("\(header.size)")
            case .diskSize: ByteString("\(storage.size)")
            case .deltaBase: ByteString((storage.deltaBase ?? .zero(oid.format)).hexBytes)
            case .rest: rest
            case nil: ""
            }
        }
    }
}
