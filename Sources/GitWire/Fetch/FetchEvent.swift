public import GitCore

/// What a server's answer to a fetch tells, in its order.
public enum FetchEvent: Sendable {
    /// The server has this object too. One of the request's `haves`; version 0 may tell it twice.
    case common(ObjectID)
    /// The server has found enough in common to make a pack.
    case ready
    /// The parents of this commit will not be in the pack.
    case shallow(ObjectID)
    /// The parents of this commit, which the client had called shallow, will be in the pack.
    case unshallow(ObjectID)
    /// Where a ref points that was wanted by name.
    case wantedRef(RefName, ObjectID)
    /// A pack to be downloaded besides; only where the request named the URI's protocol.
    case packfileURI(PackfileURI)
    /// The next bytes of the pack. Never empty. A slice of what was pushed, not a copy.
    case pack(ArraySlice<UInt8>)
    /// The next bytes of what the server tells a person: for ``ProgressText``. Not safe to print.
    case progress(ArraySlice<UInt8>)
}

/// Where a part of the objects can be downloaded as a pack.
public struct PackfileURI: Hashable, Sendable {
    /// The checksum that names the pack, as `git index-pack` prints it.
    public let packChecksum: ObjectID
    /// Visible ASCII.
    public let uri: String
}

/// How an answer to a fetch ended, where it ended well.
public enum FetchOutcome: Hashable, Sendable {
    /// With the pack, which was whole as far as the protocol can tell. (Without side-band it cannot:
    /// the pack's own checksum must.)
    case packReceived
    /// Without a pack: another request is to follow, with more haves, or, if the server said that it
    /// `isReady`, with ``FetchRequest/isDone``.
    case continues(isReady: Bool)
}
