import GitCore

// Version 0 and 1 (gitprotocol-pack, "Packfile Negotiation"), as one stateless request, in pkt-lines:
//
//     want SP <oid> SP <capabilities> LF
//     want SP <oid> LF …
//     shallow SP <oid> LF …       deepen SP <depth> LF        deepen-since SP <time> LF
//     deepen-not SP <ref> LF …    filter SP <spec> LF
//     0000
//     have SP <oid> LF …          rounds of these, each with a flush packet behind it
//     0000 …
//     have SP <oid> LF …
//     done LF
//
// A client that first wants to hear where its history will be cut off ends behind the first flush
// packet. A flush packet alone asks nothing.

extension UploadPackRequest {
    /// Reads the body of a version 0 or 1 request; nil where it asks nothing.
    ///
    /// Capabilities that are not known or not offered count for nothing, as in Git's server.
    ///
    /// - Throws: ``WireError``: `unsupported` for a filter that was not negotiated, or another object
    ///   format; `malformed`, `truncated`, `limit`.
    public init?(
        parsingV0 body: [UInt8], for offer: UploadPackOffer, limits: ServingLimits = .standard
    ) throws(WireError) {
        let request = try RequestDecoder.decode(body, UploadPackGrammarV0(offer, limits))
        guard let request else { return nil }
        self = request
    }
}

struct UploadPackGrammarV0: RequestGrammar {
    private enum Phase { case wants, rounds, done, nothingWanted }

    private let offer: UploadPackOffer
    private let limits: ServingLimits
    private var phase = Phase.wants
    private var isEmpty = true
    private var request: UploadPackRequest
    private var wants: ServingLimits.UniqueIDs
    private var shallow: ShallowArguments
    private var allowsFilter = false
    private var haveCount = 0
    /// The round that has not ended yet.
    private var round: [ObjectID] = []

    init(_ offer: UploadPackOffer, _ limits: ServingLimits) {
        self.offer = offer
        self.limits = limits
        request = UploadPackRequest(offer.objectFormat)
        wants = .init(limits.wants, "wants")
        shallow = ShallowArguments(offer.objectFormat, limits)
    }

    mutating func take(_ line: WireLine) throws(WireError) {
        isEmpty = false
        switch phase {
        case .wants: try takeWantOrLimit(line)
        case .rounds: try takeHave(line)
        case .done, .nothingWanted: throw line.unexpected(" after the request's end")
        }
    }

    mutating func takeFlush(at offset: UInt64) throws(WireError) {
        isEmpty = false
        switch phase {
        case .wants: phase = wants.list.isEmpty ? .nothingWanted : .rounds
        case .rounds:
            try ServingLimits.check(request.rounds.count, below: limits.haves, "rounds of haves")
            request.rounds.append(round)
            round = []
        // Nothing comes of it.
        case .done, .nothingWanted: break
        }
    }

    mutating func takeDelim(at offset: UInt64) throws(WireError) {
        throw .malformed("unexpected delim packet", at: offset)
    }

    mutating func finish() throws(WireError) -> UploadPackRequest? {
        switch phase {
        case .nothingWanted: return nil
        case .wants where isEmpty: return nil
        case .wants: throw .requestTruncated("the flush packet after the wants")
        case .rounds where !round.isEmpty: throw .requestTruncated("done, or a flush packet,")
        case .rounds, .done: break
        }
        request.wants = wants.list
        try shallow.finish(&request)
        return request
    }

    private mutating func takeWantOrLimit(_ line: WireLine) throws(WireError) {
        if try shallow.take(line) { return }
        if let spec = line.value(after: "filter ") {
            guard allowsFilter else {
                throw WireError(.unsupported, "filtering capability not negotiated")
            }
            return try request.take(filter: spec, line)
        }
        guard let rest = line.value(after: "want ") else { throw line.unexpected() }
        let oid = try line.oid(rest.prefix(offer.objectFormat.hexCount), offer.objectFormat)
        try wants.insert(oid)
        let list = rest.dropFirst(offer.objectFormat.hexCount)
        if !list.isEmpty { try takeCapabilities(WireLine(list, at: line.offset)) }
    }

    private mutating func takeHave(_ line: WireLine) throws(WireError) {
        if line.is("done") {
            request.isDone = true
            request.rounds.append(round)
            round = []
            phase = .done
            return
        }
        guard let hex = line.value(after: "have ") else { throw line.unexpected() }
        try ServingLimits.check(haveCount, below: limits.haves, "haves")
        haveCount += 1
        round.append(try line.oid(hex, offer.objectFormat))
    }

    /// Behind the first want; Git's server takes them behind any.
    private mutating func takeCapabilities(_ list: WireLine) throws(WireError) {
        try list.throwIfControls("capability")
        for word in list.bytes.split(separator: 0x20) {
            let word = WireLine(word, at: list.offset)
            if let agent = word.value(after: "agent=") {
                request.agent = ByteString(agent)
            } else if let sessionID = word.value(after: "session-id=") {
                request.sessionID = ByteString(sessionID)
            } else if let name = word.value(after: "object-format=") {
                try offer.objectFormat.check(client: name)
            } else {
                takeCapability(String(decoding: word.bytes, as: UTF8.self))
            }
        }
    }

    private mutating func takeCapability(_ name: String) {
        switch name {
        case "multi_ack_detailed": request.acknowledgmentMode = .detailed
        case "multi_ack" where request.acknowledgmentMode == .single:
            request.acknowledgmentMode = .multi
        case "no-done": request.noDone = offer.noDone
        case "thin-pack": request.thinPack = true
        case "ofs-delta": request.ofsDelta = true
        case "side-band-64k": request.sideBand = .large
        case "side-band" where request.sideBand == .none: request.sideBand = .small
        case "no-progress": request.noProgress = true
        case "include-tag": request.includeTag = true
        case "deepen-relative": shallow.isRelative = true
        case "filter": allowsFilter = offer.filter
        default: break
        }
    }
}

extension ObjectFormat {
    /// - Throws: ``WireError/Code/unsupported`` unless `name` is this one's.
    func check(client name: ArraySlice<UInt8>) throws(WireError) {
        guard name.elementsEqual(self.name.utf8) else {
            throw WireError(
                .unsupported,
                "mismatched object format: server \(self.name); client \(WireLine.shown(name))")
        }
    }
}
