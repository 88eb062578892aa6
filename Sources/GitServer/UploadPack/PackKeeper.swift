internal import GitCore
internal import GitStore
internal import GitWire

/// Keeps answers for those who ask the same.
package protocol PackKeeper: Sendable {
    /// Called before the first byte of an answer with a pack.
    ///
    /// - Parameter description: everything that changes the bytes of the answer, but for the repository.
    /// - Returns: where the answer goes; nil where the client has its answer already: one that was made for
    ///   another.
    func output(forAnswer description: [UInt8]) throws -> (any ServiceOutput)?
    /// The answer is whole and goes to its end, while it is still to be seen whether it may be kept.
    func end()
    /// Called when nothing more comes, whether there was a pack or not. Returns when the client has all.
    func finish(_ failure: (any Error)?)
}

/// Everything that changes the bytes of an answer with a pack, each part with its length before it.
struct AnswerDescription {
    private(set) var bytes: [UInt8] = []

    /// - Parameter begun: the answer as far as it is known before the pack.
    init(_ pack: PackRequest, _ request: UploadPackRequest, begun: [UInt8]) {
        add(begun)
        add(pack.wants)
        add(pack.haves)
        add(Array(pack.shallow))
        add(pack.tags)
        add(Array(pack.elsewhere))
        add(request.filter?.bytes ?? [])
        // What a filter names by a ref is something else once the ref has moved.
        add(pack.filter.sparse.map(\.blob))
        add(
            [
                request.isV2, request.noProgress, request.sidebandAll, pack.isThin,
                pack.looksThroughHaves, pack.usesOffsetDeltas,
            ].map { $0 ? 1 : 0 })
        add(Array("\(request.sideBand)".utf8))
    }

    private mutating func add(_ oids: [ObjectID]) {
        add(Set(oids).sorted().flatMap { Array($0.rawBytes) })
    }

    private mutating func add(_ part: [UInt8]) {
        withUnsafeBytes(of: UInt64(part.count).littleEndian) { bytes += $0 }
        bytes += part
    }
}
