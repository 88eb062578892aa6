public import GitCore

/// A version of the protocol between client and server.
public enum ProtocolVersion: Int, Sendable, CaseIterable, Comparable {
    case v0 = 0
    case v1 = 1
    case v2 = 2

    /// What asks a server for this version: the value of HTTP's `Git-Protocol` header, or of
    /// `GIT_PROTOCOL`. nil for version 0, which is what a server speaks unasked. It is sent with every
    /// request of a conversation, and the server's answer tells which version it really speaks.
    public var extraParameter: String? { self == .v0 ? nil : "version=\(rawValue)" }

    public static func < (a: ProtocolVersion, b: ProtocolVersion) -> Bool {
        a.rawValue < b.rawValue
    }
}

/// What a server says first: its version, what it can do, and, before version 2, its refs.
public struct Advertisement: Sendable {
    public let version: ProtocolVersion
    public let capabilities: Capabilities
    public let objectFormat: ObjectFormat
    /// nil in version 2, where ``LsRefsRequest`` asks for them.
    public let refs: AdvertisedRefs?
    /// The commits of a shallow server whose parents it has not got. Always empty in version 2, whose
    /// answer to a fetch tells them.
    public let shallow: [ObjectID]
}
