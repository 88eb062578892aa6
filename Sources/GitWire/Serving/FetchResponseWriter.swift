public import GitCore

// Version 2 (gitprotocol-v2, "fetch"): sections with a delim packet between two and a flush packet at
// the end, see FetchGrammarV2; with sideband-all every line of them is in band 1:
//
//     acknowledgments LF      ACK SP <oid> LF … or NAK LF; ready LF if the rest follows
//     shallow-info LF         shallow SP <oid> …  unshallow SP <oid> …
//     wanted-refs LF          <oid> SP <name> LF …
//     packfile-uris LF        <checksum> SP <uri> LF …
//     packfile LF             side-band packets
//     0000
//
// Git's own server sends wanted-refs before shallow-info, and Git's client then gives up: it reads
// them in the order above, the documented one.
//
// Version 0 and 1: shallow and unshallow lines and a flush packet, if history is limited; then what
// AcknowledgmentsV0 writes; then the pack.

/// Writes the answer to a fetch, in whichever version it was asked.
///
/// Call what there is to say in the order above, then ``end()``; ``error(_:)`` may come at any time,
/// and is the last. Take the bytes whenever there are enough.
public struct FetchResponseWriter: Sendable {
    private let isV2: Bool
    private let sidebandAll: Bool
    private var out: SideBandWriter
    private var hasSection = false
    private var isInPack = false

    public init(_ request: UploadPackRequest) {
        isV2 = request.isV2
        sidebandAll = request.sidebandAll
        out = SideBandWriter(request.sideBand)
        if sidebandAll { out.lines.band = 1 }
    }

    /// Bytes that wait to be taken.
    public var count: Int { out.count }

    public mutating func takeBytes() -> [UInt8] { out.takeBytes() }

    /// For what ``AcknowledgmentsV0`` writes.
    public var lines: PktLineWriter {
        get { out.lines }
        _modify { yield &out.lines }
    }

    /// The answer to the haves (version 2). Unless it is ready, ``end()`` comes next.
    public mutating func acknowledgments(_ common: some Sequence<ObjectID>, isReady: Bool) {
        beginSection("acknowledgments\n")
        var hasCommon = false
        for oid in common {
            hasCommon = true
            out.lines.line("ACK ", oid, "\n")
        }
        if !hasCommon { out.lines.words("NAK\n") }
        if isReady { out.lines.words("ready\n") }
    }

    /// Where the client's history will be cut off, and where no more. To be called, even with nothing
    /// to tell, wherever the request limits history (`deepen`), and, in version 2, where the client or
    /// the server is shallow.
    public mutating func shallowInfo(
        shallow: some Sequence<ObjectID>, unshallow: some Sequence<ObjectID>
    ) {
        if isV2 { beginSection("shallow-info\n") }
        for oid in shallow { out.lines.line("shallow ", oid, "") }
        for oid in unshallow { out.lines.line("unshallow ", oid, "") }
        if !isV2 { out.lines.flush() }
    }

    /// Where the refs point that were wanted by name (version 2). Not to be called where none were.
    ///
    /// - Throws: never for names of ``RefName/maximumLength``.
    public mutating func wantedRefs(
        _ refs: some Sequence<(name: RefName, oid: ObjectID)>
    ) throws(WireError) {
        beginSection("wanted-refs\n")
        for (name, oid) in refs {
            try out.lines.packet {
                oid.appendHex(to: &$0)
                $0.append(0x20)
                $0.append(contentsOf: name.bytes.bytes)
                $0.append(0x0a)
            }
        }
    }

    /// Packs to be downloaded besides (version 2). Not to be called where there are none.
    ///
    /// - Throws: ``WireError/Code/invalid``, ``WireError/Code/limit`` for a URI that cannot be sent.
    public mutating func packfileURIs(_ uris: some Sequence<PackfileURI>) throws(WireError) {
        beginSection("packfile-uris\n")
        for uri in uris {
            let text = try ByteString(uri.uri).asVisible()
            try out.lines.line("", ByteString(uri.packChecksum.hexBytes) + " " + text)
        }
    }

    /// The pack comes next.
    public mutating func beginPack() {
        if isV2 { beginSection("packfile\n") }
        isInPack = true
    }

    /// The next bytes of the pack, of any number.
    public mutating func pack(_ bytes: UnsafeRawBufferPointer) { out.data(bytes) }

    /// Text for a person: from ``beginPack()`` on, or, with sideband-all, from the start. Before, and
    /// without side-band, nothing.
    public mutating func progress(_ text: ByteString) {
        if isInPack || sidebandAll { out.progress(text) }
    }

    /// A sign of life, where ``progress(_:)`` may be.
    public mutating func keepAlive() {
        if isInPack || sidebandAll { out.keepAlive() }
    }

    /// The last words; ``end()`` does not follow. Without side-band there are none once the pack has
    /// begun.
    public mutating func error(_ text: ByteString) {
        if isInPack || sidebandAll { out.error(text) } else { out.lines.error(text) }
    }

    /// The end of an answer; that of a version 0 one without a pack has no mark.
    public mutating func end() {
        if isV2 { out.lines.flush() } else if isInPack { out.end() }
    }

    private mutating func beginSection(_ header: StaticString) {
        if hasSection { out.lines.delim() }
        hasSection = true
        out.lines.words(header)
    }
}

extension PackfileURI {
    /// - Parameter uri: visible ASCII.
    public init(_ packChecksum: ObjectID, _ uri: String) {
        self.packChecksum = packChecksum
        self.uri = uri
    }
}
