import GitCore

/// What the lines of a client's request mean.
protocol RequestGrammar {
    associatedtype Request
    mutating func take(_ line: WireLine) throws(WireError)
    mutating func takeFlush(at offset: UInt64) throws(WireError)
    mutating func takeDelim(at offset: UInt64) throws(WireError)
    /// The request, once it has ended between two lines.
    mutating func finish() throws(WireError) -> Request
}

/// Feeds the lines of a request that is read whole to its grammar, in chunks of any size.
struct RequestDecoder<Grammar: RequestGrammar> {
    private var packets = PktLineDecoder()
    private var grammar: Grammar

    init(_ grammar: Grammar) { self.grammar = grammar }

    mutating func push(_ chunk: [UInt8]) throws(WireError) {
        packets.push(chunk)
        while let line = try packets.next() {
            let start = packets.lineStart
            switch line {
            case .data(let payload): try grammar.take(WireLine(payload, at: start))
            case .flush: try grammar.takeFlush(at: start)
            case .delim: try grammar.takeDelim(at: start)
            case .responseEnd: throw .malformed("unexpected response-end packet", at: start)
            }
        }
    }

    mutating func finish() throws(WireError) -> Grammar.Request {
        guard packets.isBetweenLines else {
            throw .requestTruncated("the rest of the pkt-line at byte \(packets.lineStart)")
        }
        return try grammar.finish()
    }

    static func decode(_ body: [UInt8], _ grammar: Grammar) throws(WireError) -> Grammar.Request {
        var decoder = RequestDecoder(grammar)
        try decoder.push(body)
        return try decoder.finish()
    }
}

extension WireError {
    static func requestTruncated(_ missing: String) -> WireError {
        WireError(.truncated, "the request ended early: \(missing) is missing")
    }
}

extension WireLine {
    /// A line that the service has no meaning for, in Git's words.
    var unknown: WireError {
        WireError(.unsupported, "unexpected line: '\(Self.shown(bytes))'")
    }

    /// - Throws: ``WireError/Code/malformed`` for control characters, which could become something
    ///   else where what a client sent is written down.
    func throwIfControls(_ what: StaticString) throws(WireError) {
        guard !bytes.contains(where: { $0 < 0x20 || $0 == 0x7f }) else {
            throw malformed("control character in a \(what)")
        }
    }
}
