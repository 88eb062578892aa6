public import GitCore

/// A change of a ref, as somebody asks for it and as hooks are told of it.
public struct RefChange: Hashable, Sendable {
    /// As it came: it may break the rules for names.
    public let name: ByteString
    /// What the ref is said to hold before; zeros for nothing.
    public let old: ObjectID
    /// What it is to hold; zeros for nothing.
    public let new: ObjectID

    public init(name: ByteString, old: ObjectID, new: ObjectID) {
        self.name = name
        self.old = old
        self.new = new
    }

    /// As hooks read it: `<old> SP <new> SP <name> LF`.
    var line: [UInt8] { old.hexBytes + [0x20] + new.hexBytes + [0x20] + name.bytes + [0x0a] }
}
