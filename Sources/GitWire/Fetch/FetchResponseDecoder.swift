import GitCore

/// Reads the answer to a fetch, in chunks of any size, of any version.
///
///     var decoder = exchange.makeDecoder()
///     for each chunk of the answer {
///         decoder.push(chunk)
///         while let event = try decoder.next() { … }
///     }
///     let outcome = try decoder.finish()
///
/// It is strict: what a line may be depends on what was asked and on what came before it, and nothing
/// may follow the end. After a throw it is of no more use.
public struct FetchResponseDecoder: Sendable {
    private enum Phase {
        /// Lines of the answer, each to be understood by the version's grammar.
        case lines
        case multiplexedPack
        case rawPack
        case ended(FetchOutcome)
    }

    /// What a grammar makes of a line.
    enum Step {
        case nothing
        case event(FetchEvent)
        /// The pack comes next.
        case pack
        /// The answer ends here.
        case end(FetchOutcome)
    }

    private let expectation: FetchExpectation
    private let limits: WireLimits
    private var packets = PktLineDecoder()
    private var sideBand = SideBand()
    private var phase = Phase.lines
    private var grammar: any FetchGrammar
    private var lineCount = 0
    private var hasPackBytes = false
    private var progressBytes = 0

    init(_ expectation: FetchExpectation, _ limits: WireLimits) {
        self.expectation = expectation
        self.limits = limits
        grammar =
            expectation.version == .v2
            ? FetchGrammarV2(expectation) : FetchGrammarV0(expectation)
    }

    /// Gives it the next bytes of the answer. Take what comes of them before pushing more.
    public mutating func push(_ chunk: [UInt8]) { packets.push(chunk) }

    /// The next event, or nil where more bytes are needed.
    ///
    /// - Throws: ``WireError``: `server` where the server sent an error, `malformed`, `limit`.
    public mutating func next() throws(WireError) -> FetchEvent? {
        while true {
            let step =
                switch phase {
                case .lines: try nextLine()
                case .multiplexedPack: try nextPacket()
                case .rawPack: nextRawPiece()
                case .ended: try checkNothingFollows()
                }
            switch step {
            case nil: return nil
            case .nothing: continue
            case .event(let event): return event
            case .pack: phase = expectation.multiplexing == .none ? .rawPack : .multiplexedPack
            case .end(let outcome): phase = .ended(outcome)
            }
        }
    }

    /// How the answer ended, once everything has been pushed and taken.
    ///
    /// - Throws: ``WireError/Code/truncated`` where it is not whole.
    public func finish() throws(WireError) -> FetchOutcome {
        try packets.checkBetweenLines()
        let outcome =
            switch phase {
            case .lines: try grammar.outcomeAtEnd()
            case .multiplexedPack: throw .truncated("the flush packet after the pack")
            case .rawPack: FetchOutcome.packReceived
            case .ended(let outcome): outcome
            }
        guard outcome != .packReceived || hasPackBytes else { throw .truncated("the pack") }
        return outcome
    }

    private mutating func nextLine() throws(WireError) -> Step? {
        guard expectation.multiplexing == .all else {
            guard let line = try packets.next() else { return nil }
            return try take(line, at: packets.lineStart)
        }
        switch try sideBand.next(&packets, inPieces: false) {
        case nil: return nil
        case .progress(let text): return try takeProgress(text)
        case .data(let payload, let offset): return try take(.data(payload), at: offset)
        case .flush: return try take(.flush, at: packets.lineStart)
        case .delim: return try take(.delim, at: packets.lineStart)
        }
    }

    private mutating func take(_ line: PktLine, at offset: UInt64) throws(WireError) -> Step {
        lineCount += 1
        guard lineCount <= limits.responseLines else {
            throw WireError(
                .limit, "the server's answer has more than \(limits.responseLines) lines")
        }
        switch line {
        case .data(let payload):
            let line = WireLine(payload, at: offset)
            try line.throwIfError()
            return try grammar.take(line)
        case .flush: return try grammar.takeFlush(at: offset)
        case .delim: return try grammar.takeDelim(at: offset)
        case .responseEnd: throw .malformed("unexpected response-end packet", at: offset)
        }
    }

    private mutating func nextPacket() throws(WireError) -> Step? {
        switch try sideBand.next(&packets, inPieces: true) {
        case nil: return nil
        case .flush: return .end(.packReceived)
        case .delim: throw .malformed("unexpected delim packet in the pack", at: packets.lineStart)
        case .progress(let text): return try takeProgress(text)
        case .data(let piece, _):
            guard !piece.isEmpty else { return try takeProgress(piece) }
            hasPackBytes = true
            return .event(.pack(piece))
        }
    }

    /// Text for the person; none for a sign of life, a packet with nothing in it. Neither brings the
    /// answer's end nearer, so that there is a limit to both.
    private mutating func takeProgress(_ text: ArraySlice<UInt8>) throws(WireError) -> Step {
        progressBytes += text.count + PktLine.headerLength + 1
        guard progressBytes <= limits.progressBytes else {
            throw WireError(
                .limit, "the server sent more than \(limits.progressBytes) bytes of progress text")
        }
        return text.isEmpty ? .nothing : .event(.progress(text))
    }

    private mutating func nextRawPiece() -> Step? {
        let piece = packets.rest()
        guard !piece.isEmpty else { return nil }
        hasPackBytes = true
        return .event(.pack(piece))
    }

    private mutating func checkNothingFollows() throws(WireError) -> Step? {
        guard packets.isBetweenLines else {
            throw .malformed("data after the end of the answer", at: packets.offset)
        }
        return nil
    }
}

/// What the lines before the pack mean, in one version of the protocol.
protocol FetchGrammar: Sendable {
    mutating func take(_ line: WireLine) throws(WireError) -> FetchResponseDecoder.Step
    mutating func takeFlush(at offset: UInt64) throws(WireError) -> FetchResponseDecoder.Step
    mutating func takeDelim(at offset: UInt64) throws(WireError) -> FetchResponseDecoder.Step
    /// How the answer ended, if it ends before a pack and without an end mark.
    func outcomeAtEnd() throws(WireError) -> FetchOutcome
}
