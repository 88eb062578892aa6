public import GitCore

/// What a client asks of receive-pack, but for the pack.
public struct PushRequest: Sendable {
    /// One ref to be changed.
    public struct Command: Hashable, Sendable {
        /// Where the client believes the ref to be; zero where it is not there.
        public let old: ObjectID
        /// Where it shall be; zero to delete it.
        public let new: ObjectID
        /// As the client gave it: not empty, no control character.
        public let name: ByteString
        /// nil unless ``name`` is a well-formed name under `refs/`; what else is asked is to be
        /// refused as a ``PushReport/funnyRefname``.
        public let ref: RefName?

        public var isDelete: Bool { new.isZero }
        public var isCreate: Bool { old.isZero }

        init(old: ObjectID, new: ObjectID, name: ByteString) {
            self.old = old
            self.new = new
            self.name = name
            ref = name.hasPrefix("refs/") ? RefName(name) : nil
        }
    }

    /// Each of another name, in the client's order. None in a request that only tries whether the
    /// server can be reached.
    public internal(set) var commands: [Command] = []
    /// The client's shallow commits, each once.
    public internal(set) var shallow: [ObjectID] = []

    /// What kind of report the client wants, if any.
    public internal(set) var report = PushReport.Version.none
    public internal(set) var sideBand = SideBandSize.none
    /// Whether progress is to be kept back.
    public internal(set) var quiet = false
    /// Whether all of it is to be done, or nothing.
    public internal(set) var atomic = false
    /// Without control characters. nil where they were not negotiated.
    public internal(set) var pushOptions: [ByteString]?
    /// Who is asking. For people, never for a decision.
    public internal(set) var agent: ByteString?
    public internal(set) var sessionID: ByteString?

    init() {}

    /// Whether a pack follows: unless refs are only deleted.
    public var hasPack: Bool { commands.contains { !$0.isDelete } }
}
