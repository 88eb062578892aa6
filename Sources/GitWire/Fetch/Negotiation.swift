public import GitCore

/// Decides how many haves go into each request of a fetch, and when it is enough.
///
/// Which commits are offered, and in which order, is up to the iterator that is asked for them
/// (consecutive: all, newest first; skipping: with growing gaps). Every request must stand alone, so
/// what is known to be common is sent again with each.
///
///     var negotiation = Negotiation()
///     repeat {
///         let round = negotiation.nextRound(&candidates)
///         request.haves = round.haves
///         request.isDone = round.isDone
///         … send; for .common(oid): negotiation.acknowledge(oid); for .ready: negotiation.end() …
///     } while no pack came
public struct Negotiation: Sendable {
    /// What one request sends.
    public struct Round: Hashable, Sendable {
        public let haves: [ObjectID]
        public let isDone: Bool
    }

    /// New haves in the first round.
    static let firstRound = 16
    /// Up to this the number of new haves doubles from round to round; from here it grows by a tenth.
    static let largeRound = 16_384
    /// Once something is common, no more than this are sent in vain before it is given up.
    static let mostInVain = 256

    /// What both sides have, in the order it was acknowledged.
    public private(set) var common: [ObjectID] = []
    private var isCommon: Set<ObjectID> = []
    private var roundSize = firstRound
    private var inVain = 0
    private var hasEnded = false

    public init() {}

    /// The next request's haves: what is common, and the next of `candidates`.
    ///
    /// It is done when there are no more candidates, too many were sent in vain, or ``end()`` was
    /// called.
    public mutating func nextRound(
        _ candidates: inout some IteratorProtocol<ObjectID>
    ) -> Round {
        var new: [ObjectID] = []
        let gaveUp = !common.isEmpty && inVain >= Self.mostInVain
        if !hasEnded, !gaveUp {
            while new.count < roundSize, let oid = candidates.next() {
                if !isCommon.contains(oid) { new.append(oid) }
            }
        }
        let isDone = new.count < roundSize
        inVain += new.count
        if !isDone { roundSize = roundSize < Self.largeRound ? roundSize * 2 : roundSize / 10 * 11 }
        return Round(haves: common + new, isDone: isDone)
    }

    /// The server has `oid` too (``FetchEvent/common(_:)``).
    public mutating func acknowledge(_ oid: ObjectID) {
        guard isCommon.insert(oid).inserted else { return }
        common.append(oid)
        inVain = 0
    }

    /// The server has found enough (``FetchEvent/ready``): the next round is the last.
    public mutating func end() { hasEnded = true }
}
