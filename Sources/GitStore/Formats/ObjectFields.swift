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

    private enum Piece: Sendable {
        case literal([UInt8])
        case field(Field)
    }

    private let pieces: [Piece]
    /// Whether a line of input is a name and something more.
    public let usesRest: Bool
    /// Whether an object's kind or size is asked for.
    public let usesHeader: Bool
    private let usesStorage: Bool

    /// What `--batch` and `--batch-check` print of each object unless told otherwise.
    public static let standard: ByteString = "%(objectname) %(objecttype) %(objectsize)"

    /// - Throws: ``StoreError/Code/invalid`` for an unknown field.
    public init(_ format: ByteString) throws(StoreError) {
        let template: FormatTemplate
        do throws(ParseError) {
            template = try FormatTemplate(format)
        } catch {
            let tail = format.dropFirst(Int(clamping: error.offset))
            throw StoreError(.invalid, "format element '\(tail)' does not end in ')'")
        }
        var pieces: [Piece] = []
        var fields: Set<Field> = []
        for piece in template.pieces {
            switch piece {
            case .literal(let bytes): pieces.append(.literal(bytes))
            case .field(let name):
                guard let field = Field(rawValue: name) else {
                    throw StoreError(.invalid, "unknown format element: \(ByteString(name))")
                }
                pieces.append(.field(field))
                fields.insert(field)
            }
        }
        self.pieces = pieces
        usesRest = fields.contains(.rest)
        usesHeader = fields.contains(.type) || fields.contains(.size)
        usesStorage = fields.contains(.diskSize) || fields.contains(.deltaBase)
    }

    /// Appends the line for one object, without its end.
    ///
    /// - Parameter header: the object's kind and size, where they are known.
    /// - Throws: ``StoreError/Code/notFound`` where the object is not there; nothing is appended then.
    package func append(
        _ object: borrowing StoredObject, _ header: (kind: ObjectKind, size: UInt64)? = nil,
        rest: ByteString, to line: inout [UInt8]
    ) throws(StoreError) {
        var header = header
        if header == nil, usesHeader { header = try object.header() }
        let storage = usesStorage ? try object.storage() : (size: 0, deltaBase: nil)
        for piece in pieces {
            switch piece {
            case .literal(let bytes): line += bytes
            case .field(.name): object.oid.appendHex(to: &line)
            case .field(.type): if let header { line += header.kind.name.utf8 }
            case .field(.size): if let header { line.append(decimal: header.size) }
            case .field(.diskSize): line.append(decimal: storage.size)
            case .field(.deltaBase):
                (storage.deltaBase ?? .zero(object.oid.format)).appendHex(to: &line)
            case .field(.rest): line += rest.bytes
            }
        }
    }
}

extension [UInt8] {
    fileprivate mutating func append(decimal number: UInt64) {
        var digits: (UInt64, UInt64, UInt32) = (0, 0, 0)
        Swift.withUnsafeMutableBytes(of: &digits) { digits in
            var (rest, start) = (number, digits.count)
            repeat {
                start -= 1
                digits[start] = UInt8(truncatingIfNeeded: rest % 10) + 0x30
                rest /= 10
            } while rest > 0
            append(contentsOf: digits[start...])
        }
    }
}
