import GitCore

/// How much a client may ask of a server in one request. One that asks for more gets
/// ``WireError/Code/limit``.
///
/// These bound what a request makes the server hold. The bytes of a request that is read whole are
/// for whoever reads it to bound.
public struct ServingLimits: Sendable {
    /// Most different objects wanted, and, apart, most refs wanted by name.
    public var wants = 1_000_000
    /// Most objects that the client says it has.
    public var haves = 1_000_000
    /// Most commits that the client says are its shallow boundary.
    public var shallow = 1_000_000
    /// Most refs whose history is to be cut off (`deepen-not`).
    public var deepenNot = 1_000
    /// From this many `ref-prefix`es on, all refs are shown, as if there were none. Git's number.
    public var refPrefixes = 65_536
    /// Most objects asked about (`object-info`).
    public var objectInfos = 1_000_000
    /// Most `server-option`s.
    public var serverOptions = 1_000
    /// Most refs that one push changes.
    public var commands = 500_000
    /// Most `push-option`s.
    public var pushOptions = 1_000
    /// Most bytes of a push before its pack.
    public var pushHeaderBytes: UInt64 = 256 << 20

    public init() {}

    /// The limits used where none are given.
    public static let standard = ServingLimits()

    /// - Throws: ``WireError/Code/limit`` unless there is room for one more.
    static func check(
        _ count: Int, below limit: Int, _ what: StaticString
    ) throws(WireError) {
        guard count < limit else {
            throw WireError(.limit, "the request has more than \(limit) \(what)")
        }
    }
}

extension ServingLimits {
    /// Ids that may come more than once and count once, in the order of their first coming.
    struct UniqueIDs {
        private(set) var list: [ObjectID] = []
        private var seen: Set<ObjectID> = []
        private let limit: Int
        private let what: StaticString

        init(_ limit: Int, _ what: StaticString) {
            self.limit = limit
            self.what = what
        }

        mutating func insert(_ oid: ObjectID) throws(WireError) {
            guard !seen.contains(oid) else { return }
            try ServingLimits.check(list.count, below: limit, what)
            seen.insert(oid)
            list.append(oid)
        }
    }
}
