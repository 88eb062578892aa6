public import GitCore

/// What a ref holds.
public enum Ref: Hashable, Sendable {
    /// The id of an object.
    case direct(ObjectID)
    /// The name of another ref, under `refs/`.
    case symbolic(RefName)
}

/// A ref as a listing gives it.
public struct RefEntry: Hashable, Sendable {
    public let name: RefName
    public let ref: Ref
    /// The object that it leads to, through other refs if it is symbolic.
    public let oid: ObjectID
    /// Where `oid` is a tag: the first object behind it, and behind any tags on the way, that is none.
    public let peeled: ObjectID?

    public init(name: RefName, ref: Ref, oid: ObjectID, peeled: ObjectID?) {
        self.name = name
        self.ref = ref
        self.oid = oid
        self.peeled = peeled
    }
}

/// A ref that a listing leaves out: its name or its content is not what it may be.
public struct BrokenRef: Hashable, Sendable {
    /// As found on disk; it has passed no check.
    public let name: ByteString
    /// A line of the kind "ignoring broken ref refs/heads/x". Safe to print.
    public let reason: String
}

/// What a ref points to, as far as refs need to know.
public struct RefTarget: Hashable, Sendable {
    public let kind: ObjectKind
    /// Where the object is a tag: what is behind it.
    public let peeled: ObjectID?

    public init(kind: ObjectKind, peeled: ObjectID?) {
        self.kind = kind
        self.peeled = peeled
    }
}
