// A commit's content, each line ended by LF:
//
//     tree <hex oid>
//     parent <hex oid>            none, one or more
//     author <name> <<mail>> <seconds> <zone>
//     committer <name> <<mail>> <seconds> <zone>
//     other headers; a line that begins with a space continues the one before
//     an empty line
//     the message
//
// A tag's: object <hex oid>, type <kind>, tag <name>, tagger <as above, may be missing>, an empty
// line, the message.

/// The part of a commit that reachability needs: what it points to.
public struct CommitLinks: Hashable, Sendable {
    public let tree: ObjectID
    public let parents: [ObjectID]

    public init(parsing content: Span<UInt8>, _ format: ObjectFormat) throws(ParseError) {
        var cursor = ByteCursor(content)
        guard cursor.skip("tree ") else { throw ParseError("commit has no tree", at: 0) }
        tree = try cursor.readHexObjectIDLine(format)
        var parents: [ObjectID] = []
        while cursor.skip("parent ") { parents.append(try cursor.readHexObjectIDLine(format)) }
        self.parents = parents
    }
}

/// The part of a tag that reachability and peeling need.
public struct TagLinks: Hashable, Sendable {
    public let target: ObjectID
    public let kind: ObjectKind
    public let name: ByteString

    public init(parsing content: Span<UInt8>, _ format: ObjectFormat) throws(ParseError) {
        var cursor = ByteCursor(content)
        guard cursor.skip("object ") else { throw ParseError("tag has no object", at: 0) }
        target = try cursor.readHexObjectIDLine(format)
        let typeOffset = cursor.offset
        guard cursor.skip("type ") else { throw ParseError("tag has no type", at: typeOffset) }
        let typeName = ByteString(try cursor.read(until: 0x0a))
        guard let kind = ObjectKind(name: typeName.bytes) else {
            throw ParseError("tag has an unknown type '\(typeName)'", at: typeOffset)
        }
        self.kind = kind
        let nameOffset = cursor.offset
        guard cursor.skip("tag ") else { throw ParseError("tag has no name", at: nameOffset) }
        name = ByteString(try cursor.read(until: 0x0a))
    }
}

extension ByteCursor {
    @_lifetime(self: copy self)
    mutating func readHexObjectIDLine(_ format: ObjectFormat) throws(ParseError) -> ObjectID {
        let oid = try readHexObjectID(format)
        let end = offset
        guard try readByte() == 0x0a else {
            throw ParseError("object id not followed by LF", at: end)
        }
        return oid
    }
}
