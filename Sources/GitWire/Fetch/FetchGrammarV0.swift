import GitCore

// An answer to one stateless request (gitprotocol-pack, "Packfile Negotiation"), in pkt-lines:
//
//     shallow SP <oid> LF …  unshallow SP <oid> LF …  0000        only where history was limited
//
//     ACK SP <oid> SP common LF …         multi_ack_detailed; `continue` with plain multi_ack
//     ACK SP <oid> SP ready LF …          multi_ack_detailed
//
// (A server without either is sent no haves.) Then, where the request was done:
//     ACK SP <oid> LF, or NAK LF
//     the pack
// else:
//     NAK LF
// and, with no-done and after `ready`:
//     ACK SP <oid> LF
//     the pack
//
// The pack comes in side-band packets and a flush packet, or, without side-band, as it is.

struct FetchGrammarV0: FetchGrammar {
    private enum State {
        case shallow
        case acknowledgments
        /// After `NAK`, with no-done and `ready`.
        case lastACK
        case over
    }

    private enum Status {
        case none, `continue`, common, ready
    }

    private let expectation: FetchExpectation
    private var state: State
    private var isReady = false

    init(_ expectation: FetchExpectation) {
        self.expectation = expectation
        state = expectation.deepens ? .shallow : .acknowledgments
    }

    mutating func take(_ line: WireLine) throws(WireError) -> FetchResponseDecoder.Step {
        switch state {
        case .shallow: return .event(try expectation.shallowEvent(line))
        case .acknowledgments: return line.is("NAK") ? takeNAK() : try takeACK(line)
        case .lastACK: return try takeACK(line)
        case .over: throw line.unexpected(" after the answer's end")
        }
    }

    mutating func takeFlush(at offset: UInt64) throws(WireError) -> FetchResponseDecoder.Step {
        guard state == .shallow else { throw .malformed("unexpected flush packet", at: offset) }
        state = .acknowledgments
        return .nothing
    }

    mutating func takeDelim(at offset: UInt64) throws(WireError) -> FetchResponseDecoder.Step {
        throw .malformed("unexpected delim packet", at: offset)
    }

    func outcomeAtEnd() throws(WireError) -> FetchOutcome {
        switch state {
        case .shallow: throw .truncated("the flush packet after the shallow commits")
        case .acknowledgments, .lastACK: throw .truncated("ACK or NAK")
        case .over: .continues(isReady: isReady)
        }
    }

    private var packFollowsReady: Bool { expectation.noDone && isReady }

    private mutating func takeNAK() -> FetchResponseDecoder.Step {
        if expectation.isDone { return .pack }
        state = packFollowsReady ? .lastACK : .over
        return .nothing
    }

    private mutating func takeACK(_ line: WireLine) throws(WireError) -> FetchResponseDecoder.Step {
        guard let rest = line.value(after: "ACK ") else { throw line.unexpected() }
        let oid = try expectation.had(rest.prefix(expectation.format.hexCount), line)
        let status = try status(rest.dropFirst(expectation.format.hexCount), line)
        switch (status, expectation.acknowledgments) {
        case (.none, _) where expectation.isDone || packFollowsReady:
            return .pack
        case (.continue, .multi) where state == .acknowledgments,
            (.common, .detailed) where state == .acknowledgments:
            return .event(.common(oid))
        case (.ready, .detailed) where state == .acknowledgments:
            guard !isReady else { return .nothing }
            isReady = true
            return .event(.ready)
        default:
            throw line.unexpected()
        }
    }

    private func status(
        _ word: ArraySlice<UInt8>, _ line: WireLine
    ) throws(WireError) -> Status {
        let word = WireLine(word, at: line.offset)
        if word.bytes.isEmpty { return .none }
        if word.is(" continue") { return .continue }
        if word.is(" common") { return .common }
        if word.is(" ready") { return .ready }
        throw line.unexpected()
    }
}
