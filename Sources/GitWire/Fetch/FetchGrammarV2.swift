import GitCore

// An answer (gitprotocol-v2, "fetch"), in pkt-lines: sections, each at most once and in this order,
// with a delim packet between two:
//
//     acknowledgments LF      NAK LF, or ACK SP <oid> LF …; then maybe ready LF
//     shallow-info LF         shallow SP <oid> LF …  unshallow SP <oid> LF …
//     wanted-refs LF          <oid> SP <name> LF …
//     packfile-uris LF        <checksum> SP <uri> LF …
//     packfile LF             side-band packets
//     0000
//
// Git's own server sends wanted-refs before shallow-info, so these two may come in either order.
//
// A request that is not done is always answered with acknowledgments, and only with these unless they
// end in `ready`; one that is done, never.

struct FetchGrammarV2: FetchGrammar {
    private enum Section {
        case acknowledgments, shallowInfo, wantedRefs, packfileURIs, packfile

        /// A section may follow those of no higher rank.
        var rank: Int {
            switch self {
            case .acknowledgments: 1
            case .shallowInfo, .wantedRefs: 2
            case .packfileURIs: 3
            case .packfile: 4
            }
        }

        init?(header line: WireLine) {
            if line.is("acknowledgments") {
                self = .acknowledgments
            } else if line.is("shallow-info") {
                self = .shallowInfo
            } else if line.is("wanted-refs") {
                self = .wantedRefs
            } else if line.is("packfile-uris") {
                self = .packfileURIs
            } else if line.is("packfile") {
                self = .packfile
            } else {
                return nil
            }
        }
    }

    private let expectation: FetchExpectation
    /// The last section whose header has come.
    private var section: Section?
    private var seen: Set<Section> = []
    private var isInSection = false
    private var hasACK = false
    private var hasNAK = false
    private var isReady = false
    /// Those that `wanted-refs` has still to tell.
    private var wantRefs: Set<RefName>

    init(_ expectation: FetchExpectation) {
        self.expectation = expectation
        wantRefs = expectation.wantRefs
    }

    mutating func take(_ line: WireLine) throws(WireError) -> FetchResponseDecoder.Step {
        guard isInSection else { return try begin(line) }
        switch section {
        case .acknowledgments: return try takeAcknowledgment(line)
        case .shallowInfo: return .event(try expectation.shallowEvent(line))
        case .wantedRefs: return try takeWantedRef(line)
        case .packfileURIs: return try takePackfileURI(line)
        case .packfile, nil: throw line.unexpected()
        }
    }

    mutating func takeDelim(at offset: UInt64) throws(WireError) -> FetchResponseDecoder.Step {
        guard isInSection, section != .acknowledgments || isReady else {
            throw .malformed("unexpected delim packet", at: offset)
        }
        isInSection = false
        return .nothing
    }

    mutating func takeFlush(at offset: UInt64) throws(WireError) -> FetchResponseDecoder.Step {
        guard isInSection, section == .acknowledgments, !isReady else {
            throw .truncated("the packfile section before the flush packet at byte \(offset)")
        }
        return .end(.continues(isReady: false))
    }

    func outcomeAtEnd() throws(WireError) -> FetchOutcome {
        throw .truncated(
            isInSection ? "the packet that ends a section" : "the header of the next section")
    }

    private mutating func begin(_ line: WireLine) throws(WireError) -> FetchResponseDecoder.Step {
        guard let next = Section(header: line) else { throw line.unexpected(" begins no section") }
        guard seen.insert(next).inserted, next.rank >= section?.rank ?? 0 else {
            throw line.unexpected(" begins a section out of order")
        }
        guard isAllowed(next) else { throw line.unexpected(" begins a section not asked for") }
        guard (next == .acknowledgments) == (section == nil && !expectation.isDone) else {
            throw line.unexpected(" in place of acknowledgments")
        }
        section = next
        isInSection = true
        guard next == .packfile else { return .nothing }
        if let name = wantRefs.first { throw .truncated("the wanted ref '\(name)'") }
        return .pack
    }

    private func isAllowed(_ section: Section) -> Bool {
        switch section {
        case .acknowledgments: !expectation.isDone
        case .wantedRefs: !expectation.wantRefs.isEmpty
        case .packfileURIs: !expectation.packfileURIProtocols.isEmpty
        case .shallowInfo, .packfile: true
        }
    }

    private mutating func takeAcknowledgment(
        _ line: WireLine
    ) throws(WireError) -> FetchResponseDecoder.Step {
        guard !isReady else { throw line.unexpected(" after ready") }
        if line.is("ready"), !expectation.waitForDone {
            isReady = true
            return .event(.ready)
        }
        if line.is("NAK"), !hasNAK, !hasACK {
            hasNAK = true
            return .nothing
        }
        guard let hex = line.value(after: "ACK "), !hasNAK else { throw line.unexpected() }
        hasACK = true
        return .event(.common(try expectation.had(hex, line)))
    }

    private mutating func takeWantedRef(
        _ line: WireLine
    ) throws(WireError) -> FetchResponseDecoder.Step {
        let (oid, bytes) = try line.oidAndRest(line.bytes, expectation.format)
        guard let name = RefName(ByteString(bytes)), wantRefs.remove(name) != nil else {
            throw line.unexpected(" tells a ref not asked for")
        }
        return .event(.wantedRef(name, oid))
    }

    private func takePackfileURI(
        _ line: WireLine
    ) throws(WireError) -> FetchResponseDecoder.Step {
        let (checksum, bytes) = try line.oidAndRest(line.bytes, expectation.format)
        let uri = String(decoding: bytes, as: UTF8.self)
        guard bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7f }),
            expectation.packfileURIProtocols.contains(where: { uri.hasPrefix($0 + "://") })
        else { throw line.unexpected(" tells a URI not asked for") }
        return .event(.packfileURI(PackfileURI(packChecksum: checksum, uri: uri)))
    }
}

extension FetchExpectation {
    /// The meaning of `shallow SP <oid>` or `unshallow SP <oid>`.
    func shallowEvent(_ line: WireLine) throws(WireError) -> FetchEvent {
        if let hex = line.value(after: "shallow ") { return .shallow(try line.oid(hex, format)) }
        guard let hex = line.value(after: "unshallow ") else { throw line.unexpected() }
        let oid = try line.oid(hex, format)
        guard shallow.contains(oid) else { throw line.unexpected(" tells a commit not asked for") }
        return .unshallow(oid)
    }

    /// An id that a server may acknowledge: one of the request's haves.
    func had(_ hex: ArraySlice<UInt8>, _ line: WireLine) throws(WireError) -> ObjectID {
        let oid = try line.oid(hex, format)
        guard haves.contains(oid) else { throw line.unexpected(" acknowledges what was not sent") }
        return oid
    }
}
