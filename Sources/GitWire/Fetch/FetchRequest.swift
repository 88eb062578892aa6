public import GitCore

/// Asks a server for a pack, in whichever version it speaks.
///
/// One request is one HTTP POST: everything that the server must know is in it. A clone sends its
/// wants and ``isDone``; a fetch sends rounds of ``haves`` (see ``Negotiation``) until the server is
/// ready.
public struct FetchRequest: Sendable {
    /// How much history, for a shallow clone or fetch. Depths count commits and are at least 1.
    public enum Deepen: Hashable, Sendable {
        /// Down to `depth` commits from what is wanted.
        case to(depth: Int)
        /// `depth` commits further than the client's ``FetchRequest/shallow`` boundary.
        case by(depth: Int)
        /// Commits no older than `since` (seconds since 1970) and not reachable from the refs
        /// `excluding`, which are named as the server names them. At least one of both.
        case cut(since: UInt64?, excluding: [ByteString])
    }

    /// Objects wanted. An id that comes again is sent once.
    public var wants: [ObjectID] = []
    /// Refs wanted by name, wherever they point when the server answers (`ref-in-want`, version 2).
    public var wantRefs: [RefName] = []
    /// Objects that the client has, with everything reachable from them.
    ///
    /// Not sent to a version 0 server without `multi_ack`, which cannot acknowledge them in a way that
    /// can be told from the pack: it is asked for everything, at once.
    public var haves: [ObjectID] = []
    /// Whether the client has no more to say: the answer must have the pack.
    public var isDone = true

    /// Whether deltas against objects in ``haves``, left out of the pack, are welcome.
    public var thinPack = false
    /// Whether deltas that name their base by its place in the pack are welcome.
    public var ofsDelta = true
    /// Whether annotated tags shall come along with what they point to.
    public var includeTag = false
    /// Whether the server shall keep its progress to itself.
    public var noProgress = false

    /// The client's own shallow commits: those whose parents it has not got.
    public var shallow: [ObjectID] = []
    public var deepen: Deepen?
    /// What to leave out of the pack: `blob:none`, `tree:0`… Sizes are to be written out (`1024`, not
    /// `1k`).
    public var filter: ByteString?

    /// Whether the whole answer shall come multiplexed, so that progress may come at any time
    /// (version 2).
    public var sidebandAll = false
    /// Whether the server shall wait for ``isDone`` even when it has found enough (version 2).
    public var waitForDone = false
    /// Protocols (`https`) of the packs that the client would download in place of objects
    /// (version 2). None: the server must send everything itself.
    public var packfileURIProtocols: [String] = []

    /// Who is asking: `apus/1.0`. Printable ASCII, no space.
    public var agent: String?
    /// Version 2.
    public var serverOptions: [ByteString] = []

    public init(wants: [ObjectID] = []) { self.wants = wants }

    /// The request's body and what is needed to read its answer.
    ///
    /// ``thinPack``, ``ofsDelta``, ``includeTag`` and ``noProgress`` are wishes, not sent to a server
    /// that does not know them; so is ``agent``. Everything else is asked or refused here.
    ///
    /// - Throws: ``WireError/Code/unsupported`` where the server cannot do it;
    ///   ``WireError/Code/invalid`` where the request makes no sense or holds what cannot be sent.
    public func encoded(for advertisement: Advertisement) throws(WireError) -> FetchExchange {
        try check(advertisement.objectFormat)
        return switch advertisement.version {
        case .v2: try encodedV2(advertisement)
        case .v0, .v1: try encodedV0(advertisement)
        }
    }

    private func check(_ format: ObjectFormat) throws(WireError) {
        guard !wants.isEmpty || !wantRefs.isEmpty else {
            throw WireError(.invalid, "a fetch that wants nothing")
        }
        guard isDone || !haves.isEmpty else {
            throw WireError(.invalid, "a fetch that has nothing and is not done")
        }
        guard [wants, haves, shallow].joined().allSatisfy({ $0.format == format && !$0.isZero })
        else {
            throw WireError(.invalid, "an id in the request is none of the server's \(format.name)")
        }
        switch deepen {
        case .to(let depth) where depth < 1, .by(let depth) where depth < 1:
            throw WireError(.invalid, "a depth of \(depth) commits")
        case .cut(since: nil, excluding: []):
            throw WireError(.invalid, "a shallow fetch that is cut nowhere")
        default: break
        }
    }

    /// Every id of `oids` once, in their order.
    func unique(_ oids: [ObjectID]) -> [ObjectID] {
        var seen: Set<ObjectID> = []
        return oids.filter { seen.insert($0).inserted }
    }

    static func unsupported(_ what: String) -> WireError {
        WireError(.unsupported, "the server does not support \(what)")
    }
}

/// A request to be sent, and how its answer is to be read.
public struct FetchExchange: Sendable {
    /// The body of the request.
    public let body: [UInt8]
    let expectation: FetchExpectation

    /// Reads the answer to this request; one for each time it is sent.
    public func makeDecoder(limits: WireLimits = .standard) -> FetchResponseDecoder {
        FetchResponseDecoder(expectation, limits)
    }
}

/// What a request allows in its answer.
struct FetchExpectation: Sendable {
    enum Acknowledgments { case none, multi, detailed }
    enum Multiplexing { case none, pack, all }

    let version: ProtocolVersion
    let format: ObjectFormat
    let isDone: Bool
    let deepens: Bool
    let haves: Set<ObjectID>
    let shallow: Set<ObjectID>
    var multiplexing: Multiplexing

    // Version 0 and 1.
    var acknowledgments = Acknowledgments.none
    /// Whether the pack follows `ready` at once.
    var noDone = false

    // Version 2.
    var wantRefs: Set<RefName> = []
    var waitForDone = false
    var packfileURIProtocols: Set<String> = []

    init(_ request: FetchRequest, _ advertisement: Advertisement, _ multiplexing: Multiplexing) {
        version = advertisement.version
        format = advertisement.objectFormat
        isDone = request.isDone
        deepens = request.deepen != nil
        haves = Set(request.haves)
        shallow = Set(request.shallow)
        self.multiplexing = multiplexing
    }
}
