public import GitCore

/// What a client asks of upload-pack, in whichever version it speaks.
public struct UploadPackRequest: Sendable {
    /// How the server tells, before version 2, what it has of the client's haves.
    public enum AcknowledgmentMode: Sendable {
        /// The first only.
        case single
        /// `multi_ack`
        case multi
        /// `multi_ack_detailed`
        case detailed
    }

    /// Version 2, or one of those before it, which are asked the same way.
    public internal(set) var isV2 = false
    public internal(set) var objectFormat: ObjectFormat
    /// Objects wanted, each once.
    public internal(set) var wants: [ObjectID] = []
    /// Refs wanted by name, each once (version 2).
    public internal(set) var wantRefs: [RefName] = []
    /// What the client says it has, as it said it. Before version 2, a round is what comes before a
    /// flush packet; the last, if ``isDone``, before `done`. In version 2 there is one round, with
    /// each id once.
    public internal(set) var rounds: [[ObjectID]] = []
    /// Whether the client has no more to say: the answer must have the pack.
    public internal(set) var isDone = false
    /// Whether the pack must not come before ``isDone`` (version 2).
    public internal(set) var waitForDone = false

    /// Whether deltas against objects that the client has may be left without their bases.
    public internal(set) var thinPack = false
    /// Whether deltas may name their base by its place in the pack.
    public internal(set) var ofsDelta = false
    /// Whether annotated tags shall come along with what they point to.
    public internal(set) var includeTag = false
    /// Whether the server shall keep its progress to itself.
    public internal(set) var noProgress = false

    /// The client's own shallow commits, each once.
    public internal(set) var shallow: [ObjectID] = []
    /// How much history. The names of refs are as the client gave them.
    public internal(set) var deepen: FetchRequest.Deepen?
    /// What to leave out of the pack: a filter-spec, not looked into.
    public internal(set) var filter: ByteString?

    /// How the pack is multiplexed; always ``SideBandSize/large`` in version 2.
    public internal(set) var sideBand = SideBandSize.none
    /// Whether the whole answer shall be multiplexed (version 2).
    public internal(set) var sidebandAll = false
    /// Protocols of the packs that the client would download besides (version 2). Empty without
    /// ``sidebandAll``, which such an answer needs.
    public internal(set) var packfileURIProtocols: [ByteString] = []

    public internal(set) var acknowledgmentMode = AcknowledgmentMode.single
    /// Whether the pack may follow `ready` at once (`no-done`; it is so in version 2).
    public internal(set) var noDone = false

    /// Who is asking. For people, never for a decision. In version 2 ``CommandRequest`` has it.
    public internal(set) var agent: ByteString?
    /// As ``agent``.
    public internal(set) var sessionID: ByteString?

    init(_ objectFormat: ObjectFormat) { self.objectFormat = objectFormat }

    /// All of ``rounds``.
    public var haves: [ObjectID] {
        if let only = rounds.first, rounds.count == 1 { return only }
        return Array(rounds.joined())
    }

    /// Whether nothing is asked that has an answer: no objects, and, in version 2, no word on the haves
    /// either. The answer has no byte then.
    public var asksNothing: Bool { wants.isEmpty && wantRefs.isEmpty && !waitForDone }

    /// The depth by which a client says that it wants all of history.
    public static let infiniteDepth = 0x7fff_ffff

    /// Whether the client wants to hear its new shallow boundary and nothing else: before version 2
    /// such a request ends behind its wants, and so does the answer behind the shallow commits.
    public var endsBeforeNegotiation: Bool { !isV2 && rounds.isEmpty && !isDone }
}

/// The arguments on shallow history, which all versions share: `shallow`, `deepen`, `deepen-since`,
/// `deepen-not`.
struct ShallowArguments {
    private var shallow: ServingLimits.UniqueIDs
    private var depth: Int?
    private var since: UInt64?
    private var excluding: [ByteString] = []
    private let limits: ServingLimits
    private let format: ObjectFormat
    /// `deepen-relative`, which means something only with `deepen`.
    var isRelative = false

    init(_ format: ObjectFormat, _ limits: ServingLimits) {
        self.format = format
        self.limits = limits
        shallow = .init(limits.shallow, "shallow commits")
    }

    /// Whether `line` was one of these.
    mutating func take(_ line: WireLine) throws(WireError) -> Bool {
        if let hex = line.value(after: "shallow ") {
            try shallow.insert(try line.oid(hex, format))
        } else if let digits = line.value(after: "deepen ") {
            guard let number = Self.number(digits), number > 0, number <= Int32.max else {
                throw line.malformed("Invalid deepen: \(WireLine.shown(line.bytes))")
            }
            depth = Int(number)
        } else if let digits = line.value(after: "deepen-since ") {
            guard let time = Self.number(digits), time < .max else {
                throw line.malformed("Invalid deepen-since: \(WireLine.shown(line.bytes))")
            }
            since = time
        } else if let name = line.value(after: "deepen-not ") {
            guard !name.contains(0) else { throw line.malformed("NUL in a ref's name") }
            try ServingLimits.check(excluding.count, below: limits.deepenNot, "deepen-not lines")
            excluding.append(ByteString(name))
        } else {
            return false
        }
        return true
    }

    /// Puts them in their places.
    func finish(_ request: inout UploadPackRequest) throws(WireError) {
        request.shallow = shallow.list
        let isCut = since != nil || !excluding.isEmpty
        switch (depth, isCut) {
        case (nil, false): break
        case (nil, true): request.deepen = .cut(since: since, excluding: excluding)
        case (let depth?, false):
            request.deepen = isRelative ? .by(depth: depth) : .to(depth: depth)
        case (_?, true):
            throw WireError(
                .unsupported,
                "deepen and deepen-since (or deepen-not) cannot be used together")
        }
    }

    /// Decimal digits alone.
    private static func number(_ digits: ArraySlice<UInt8>) -> UInt64? {
        guard !digits.isEmpty, digits.allSatisfy({ (0x30 ... 0x39).contains($0) }) else {
            return nil
        }
        return UInt64(String(decoding: digits, as: UTF8.self))
    }
}

extension UploadPackRequest {
    mutating func take(filter spec: ArraySlice<UInt8>, _ line: WireLine) throws(WireError) {
        guard filter == nil else {
            throw WireError(.unsupported, "multiple filter-specs cannot be combined")
        }
        try line.throwIfControls("filter")
        filter = ByteString(spec)
    }
}
