import GitCore

// gitprotocol-v2, "fetch": the arguments, in pkt-lines and any order:
//
//     want SP <oid> LF …          have SP <oid> LF …
//     done LF                     wait-for-done LF
//     thin-pack LF  no-progress LF  include-tag LF  ofs-delta LF
//     shallow SP <oid> LF …       deepen SP <depth> LF        deepen-relative LF
//     deepen-since SP <time> LF   deepen-not SP <ref> LF …
//     filter SP <spec> LF         want-ref SP <name> LF …     sideband-all LF
//     packfile-uris SP <protocol>,<protocol> LF               where they are offered

struct UploadPackGrammarV2 {
    private let offer: UploadPackOffer
    private let limits: ServingLimits
    private var request: UploadPackRequest
    private var wants: ServingLimits.UniqueIDs
    private var haves: ServingLimits.UniqueIDs
    private var wantRefs: Set<RefName> = []
    private var shallow: ShallowArguments

    init(_ offer: UploadPackOffer, _ limits: ServingLimits) {
        self.offer = offer
        self.limits = limits
        request = UploadPackRequest(offer.objectFormat)
        request.isV2 = true
        request.sideBand = .large
        request.acknowledgmentMode = .detailed
        request.noDone = true
        wants = .init(limits.wants, "wants")
        haves = .init(limits.haves, "haves")
        shallow = ShallowArguments(offer.objectFormat, limits)
    }

    mutating func take(_ line: WireLine) throws(WireError) {
        if let hex = line.value(after: "have ") {
            try haves.insert(try line.oid(hex, offer.objectFormat))
        } else if let hex = line.value(after: "want ") {
            try wants.insert(try line.oid(hex, offer.objectFormat))
        } else if try !shallow.take(line), try !takeOffered(line) {
            try takeFlag(line)
        }
    }

    func finish() throws(WireError) -> UploadPackRequest {
        var request = request
        request.wants = wants.list
        request.rounds = haves.list.isEmpty ? [] : [haves.list]
        if !request.sidebandAll { request.packfileURIProtocols = [] }
        try shallow.finish(&request)
        return request
    }

    private mutating func takeFlag(_ line: WireLine) throws(WireError) {
        if line.is("done") {
            request.isDone = true
        } else if line.is("wait-for-done") {
            request.waitForDone = true
        } else if line.is("thin-pack") {
            request.thinPack = true
        } else if line.is("ofs-delta") {
            request.ofsDelta = true
        } else if line.is("include-tag") {
            request.includeTag = true
        } else if line.is("no-progress") {
            request.noProgress = true
        } else if line.is("deepen-relative") {
            shallow.isRelative = true
        } else {
            throw line.unknown
        }
    }

    /// What a server may not have; whether `line` was such a thing.
    private mutating func takeOffered(_ line: WireLine) throws(WireError) -> Bool {
        if offer.refInWant, let name = line.value(after: "want-ref ") {
            try takeWantRef(name)
        } else if offer.filter, let spec = line.value(after: "filter ") {
            try request.take(filter: spec, line)
        } else if offer.sidebandAll, line.is("sideband-all") {
            request.sidebandAll = true
        } else if offer.packfileURIs, let list = line.value(after: "packfile-uris ") {
            guard request.packfileURIProtocols.isEmpty else {
                throw WireError(.unsupported, "multiple packfile-uris lines forbidden")
            }
            try line.throwIfControls("protocol")
            request.packfileURIProtocols = ByteString(list).split(0x2c)
        } else {
            return false
        }
        return true
    }

    private mutating func takeWantRef(_ bytes: ArraySlice<UInt8>) throws(WireError) {
        guard let name = RefName(ByteString(bytes)) else {
            throw WireError(.unsupported, "unknown ref \(WireLine.shown(bytes))")
        }
        try ServingLimits.check(wantRefs.count, below: limits.wants, "wanted refs")
        guard wantRefs.insert(name).inserted else {
            throw WireError(.unsupported, "duplicate want-ref \(name)")
        }
        request.wantRefs.append(name)
    }
}
