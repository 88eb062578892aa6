public import GitCore
import GitStore
public import GitWire

/// How objects are fetched.
public struct FetchOptions: Sendable {
    /// Sees what the server sends, in order and as it comes, before anything of it is verified: the bytes
    /// of the pack, the server's progress, what it has in common. While one event is being seen nothing
    /// more is taken from the network beyond a bounded buffer. What it throws ends the fetch.
    public typealias Sink = @Sendable (FetchEvent) async throws -> Void

    /// Whether annotated tags shall come along with what they point to.
    public var includeTag = false
    /// Whether the server is to be asked to tell how far it is.
    public var wantsServerProgress = true
    /// Whether the pack may leave out bases of deltas that are here; it is completed from the repository,
    /// but a ``sink`` sees it as it came.
    public var thinPack = true
    /// Whether deltas may name their base by its place in the pack; for a ``sink`` as well.
    public var ofsDelta = true
    /// A pack of fewer objects is parted into loose ones; nil for fetch.unpackLimit, else
    /// transfer.unpackLimit, else 100.
    public var unpackLimit: Int?
    public var sink: Sink?
    /// Whether the pack is verified and stored behind the ``sink``: the server's answer is taken as fast as
    /// the sink does that, what is not verified yet waits in a temporary file of the repository, and
    /// that work gives way to what else the processors are needed for.
    public var sinkGoesFirst = false
    /// Called when the ``sink`` has seen the whole pack, as far as the protocol can tell, while it is still
    /// being verified and stored. Where the fetch fails before that, it is not.
    public var sinkHasAll: (@Sendable () async -> Void)?

    public init() {}
}

/// What a fetch brought.
public struct FetchSummary: Sendable {
    /// What was asked for: that which was wanted and not there. Empty where no request was made.
    public internal(set) var wants: [ObjectID] = []
    /// Objects that came.
    public internal(set) var objectCount = 0
    /// Bytes of the pack as it came.
    public internal(set) var byteCount = 0
    /// Requests for a pack that it took, each with more of what is here.
    public internal(set) var requestCount = 0

    /// Holds the `.keep` file of the pack.
    let quarantine: Quarantine?

    /// Until then Git's maintenance leaves the pack alone: to be called when refs lead to its objects, or
    /// will not.
    public func release() { quarantine?.release() }
}
