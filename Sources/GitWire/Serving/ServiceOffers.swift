public import GitCore

/// What an upload-pack server offers its clients: what it advertises, and what it then accepts.
public struct UploadPackOffer: Sendable {
    /// What is done with `unborn` in `ls-refs`.
    public enum Unborn: Sendable {
        /// It is taken, and nothing is told.
        case ignored
        /// It is done, and not advertised.
        case allowed
        case advertised
    }

    public var objectFormat: ObjectFormat
    /// Who is answering: `apus/1.0`. Visible ASCII.
    public var agent: ByteString?
    /// What to find this conversation by in the server's log. Visible ASCII.
    public var sessionID: ByteString?
    /// Whether clients may leave objects out by a filter (partial clone).
    public var filter = false
    /// Whether the pack may follow `ready` at once (`no-done`, before version 2).
    public var noDone = true
    /// Whether any ref's target may be wanted, shown or not (before version 2).
    public var tipInWant = false
    /// Whether anything reachable from a ref may be wanted (before version 2).
    public var reachableInWant = false

    // Version 2.
    public var unborn = Unborn.advertised
    public var refInWant = false
    public var sidebandAll = false
    public var packfileURIs = false
    public var serverOptions = true
    /// The command `object-info`.
    public var objectInfo = false
    /// The command `bundle-uri`.
    public var bundleURI = false

    public init(_ objectFormat: ObjectFormat, agent: ByteString? = nil) {
        self.objectFormat = objectFormat
        self.agent = agent
    }
}

/// What a receive-pack server offers its clients: what it advertises, and what it then accepts.
public struct ReceivePackOffer: Sendable {
    public var objectFormat: ObjectFormat
    /// Who is answering: `apus/1.0`. Visible ASCII.
    public var agent: ByteString?
    /// What to find this conversation by in the server's log. Visible ASCII.
    public var sessionID: ByteString?
    /// Whether a push may be all or nothing.
    public var atomic = true
    public var deleteRefs = true
    public var pushOptions = false
    /// Whether packs may have deltas that name their base by its place.
    public var ofsDelta = true

    public init(_ objectFormat: ObjectFormat, agent: ByteString? = nil) {
        self.objectFormat = objectFormat
        self.agent = agent
    }
}

extension UploadPackOffer {
    /// The list of version 0 and 1, in Git's order.
    func list(
        symrefs: [(name: RefName, target: RefName)]
    ) throws(WireError) -> ByteString {
        var list: ByteString =
            "multi_ack thin-pack side-band side-band-64k ofs-delta shallow deepen-since deepen-not"
            + " deepen-relative no-progress include-tag multi_ack_detailed"
        if tipInWant { list.bytes.append(" allow-tip-sha1-in-want") }
        if reachableInWant { list.bytes.append(" allow-reachable-sha1-in-want") }
        if noDone { list.bytes.append(" no-done") }
        for (name, target) in symrefs {
            list.bytes.append(contentsOf: (" symref=" + name.bytes + ":" + target.bytes).bytes)
        }
        if filter { list.bytes.append(" filter") }
        return try list + tail(sessionID, objectFormat, agent)
    }
}

extension ReceivePackOffer {
    /// The list of version 0 and 1, in Git's order.
    func list() throws(WireError) -> ByteString {
        var list: ByteString = "report-status report-status-v2"
        if deleteRefs { list.bytes.append(" delete-refs") }
        list.bytes.append(" side-band-64k quiet")
        if atomic { list.bytes.append(" atomic") }
        if ofsDelta { list.bytes.append(" ofs-delta") }
        if pushOptions { list.bytes.append(" push-options") }
        return try list + tail(sessionID, objectFormat, agent)
    }
}

/// How both services' lists end.
private func tail(
    _ sessionID: ByteString?, _ format: ObjectFormat, _ agent: ByteString?
) throws(WireError) -> ByteString {
    var tail: ByteString = ""
    if let sessionID { tail = tail + " session-id=" + (try sessionID.asVisible()) }
    tail = tail + " object-format=" + ByteString(format.name)
    if let agent { tail = tail + " agent=" + (try agent.asVisible()) }
    return tail
}

extension ByteString {
    /// This, as the value of a capability or the like.
    ///
    /// - Throws: ``WireError/Code/invalid`` where it cannot be one.
    func asVisible() throws(WireError) -> ByteString {
        guard !isEmpty, bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
            throw WireError(.invalid, "'\(self)' is not visible ASCII")
        }
        return self
    }
}
