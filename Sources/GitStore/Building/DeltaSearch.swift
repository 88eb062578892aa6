internal import GitCore
import Synchronization

/// A delta that was made for a pack.
struct NewDelta: Sendable {
    /// The number of its base among the objects.
    let base: Int
    let baseOID: ObjectID
    /// Bytes before they are deflated.
    let size: Int
    /// nil where there was no room to keep it.
    let deflated: [UInt8]?
}

/// An object that may become a delta, or the base of one.
struct DeltaCandidate: Sendable {
    let number: Int
    let oid: ObjectID
    let kind: ObjectKind
    let pathHash: UInt32
    let size: UInt64
    /// The pack that has it in full, and one; 0 where there is none. Of two from one pack it was found
    /// before that no good delta can be made.
    let home: Int
    /// The receiver has it: it can be a base only.
    let isReceived: Bool

    func hasPath(of other: DeltaCandidate) -> Bool {
        kind == other.kind && pathHash == other.pathHash
    }

    /// Larger objects are left as they are, in bytes: both are held in memory.
    static let largest: UInt64 = 1 << 27
    /// Smaller ones too: nothing is gained.
    static let smallest: UInt64 = 50
}

/// Looks for new deltas: each object is tried on those before it in the order of kind, path and size.
struct DeltaSearch {
    let database: ObjectDatabase
    let request: PackRequest
    let progress: PackBuildProgress
    let cancellation: CancellationFlag

    /// The deltas by the numbers of their objects.
    func run(_ candidates: [DeltaCandidate]) throws(StoreError) -> [UInt32: NewDelta] {
        let sizes = DeltaCandidate.smallest ... DeltaCandidate.largest
        let sorted = candidates.filter { sizes.contains($0.size) }.sorted(by: Self.precedes)
        let parts = Self.parts(of: sorted, threads: request.threads)
        let next = Atomic(0)
        let kept = KeptBytes()
        let found = Mutex<[UInt32: NewDelta]>([:])
        let failure = FirstFailure()
        progress.setCandidates(sorted.count)
        Workers.run(min(request.threads, parts.count)) { [self] _ in
            let tools = ReadingTools(DeltaBaseCache(budget: 16 << 20, shards: 1))
            while !failure.hasFailed {
                let number = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard number < parts.count else { return }
                failure.catching { () throws(StoreError) in
                    var window = DeltaWindow(self, tools, kept)
                    for candidate in sorted[parts[number]] {
                        try cancellation.check()
                        try window.take(candidate)
                        progress.addTried(1)
                    }
                    let deltas = window.found
                    found.withLock { $0.merge(deltas) { first, _ in first } }
                }
            }
        }
        try failure.check()
        return found.withLock { $0 }
    }

    private static func precedes(_ a: DeltaCandidate, _ b: DeltaCandidate) -> Bool {
        if a.kind != b.kind { return a.kind.rawValue > b.kind.rawValue }
        if a.pathHash != b.pathHash { return a.pathHash > b.pathHash }
        if a.isReceived != b.isReceived { return a.isReceived }
        return a.size == b.size ? a.number < b.number : a.size > b.size
    }

    /// Parts it between paths, for threads to take one after another.
    private static func parts(of sorted: [DeltaCandidate], threads: Int) -> [Range<Int>] {
        let size = threads > 1 ? max(1_000, sorted.count / (threads * 8)) : sorted.count
        var parts: [Range<Int>] = []
        var start = 0
        for index in sorted.indices.dropFirst()
        where index - start >= size && sorted[index].pathHash != sorted[index - 1].pathHash {
            parts.append(start ..< index)
            start = index
        }
        if start < sorted.count { parts.append(start ..< sorted.count) }
        return parts
    }
}

/// Bytes of new deltas that are kept until they are written; others are made again then.
private final class KeptBytes: Sendable {
    private let count = Atomic(0)
    private static let most = 256 << 20

    func takes(_ more: Int) -> Bool {
        count.add(more, ordering: .relaxed).newValue <= Self.most
    }
}

/// The objects that the next ones are tried on.
private struct DeltaWindow {
    private final class Slot {
        let candidate: DeltaCandidate
        var content: [UInt8]?
        var index: DeltaIndex?
        var asTarget: DeltaTarget?
        /// Deltas one on another, down to an object in full.
        var depth = 0
        var delta: (base: Slot, bytes: [UInt8])?

        init(_ candidate: DeltaCandidate) { self.candidate = candidate }

        var memory: Int { (content?.count ?? 0) + (index?.byteCount ?? 0) }
    }

    private let search: DeltaSearch
    private let tools: ReadingTools
    private let deflater: Deflater
    private let kept: KeptBytes
    /// The best last.
    private var slots: [Slot] = []
    /// Those that the receiver has, all of one path. They come first, but what is tried may be a small change
    /// of any of them: so they stay for the whole path, even when they have left the ``slots``.
    private var received: [Slot] = []
    private(set) var found: [UInt32: NewDelta] = [:]

    /// Bytes of objects and indexes that are held; the oldest go first.
    private static let most = 256 << 20

    init(_ search: DeltaSearch, _ tools: ReadingTools, _ kept: KeptBytes) {
        self.kept = kept
        self.search = search
        self.tools = tools
        deflater = Deflater(level: search.request.compressionLevel)
    }

    mutating func take(_ candidate: DeltaCandidate) throws(StoreError) {
        let target = Slot(candidate)
        // Its hashes are of no use once it was tried on all.
        defer { target.asTarget = nil }
        if received.first.map({ !$0.candidate.hasPath(of: candidate) }) ?? false { received = [] }
        if candidate.isReceived {
            received.append(target)
        } else {
            for slot in slots.reversed() where slot.candidate.kind == candidate.kind {
                try attempt(target, on: slot)
            }
            for slot in receivedBefore { try attempt(target, on: slot) }
        }
        if let delta = target.delta {
            try keep(delta.bytes, of: target, on: delta.base)
            // A good base is tried first next time.
            if let place = slots.firstIndex(where: { $0 === delta.base }) {
                slots.append(slots.remove(at: place))
            }
            target.delta = nil
            // Nothing may be based on it.
            if target.depth >= search.request.depth { return }
        }
        slots.append(target)
        while slots.count > search.request.window { slots.removeFirst() }
        while slots.count > 1, memory > Self.most {
            received = []
            slots.removeFirst()
        }
    }

    /// Those of the path that have left the ``slots``.
    private var receivedBefore: [Slot] {
        received.filter { slot in !slots.contains { $0 === slot } }
    }

    private var memory: Int {
        slots.reduce(0) { $0 + $1.memory } + receivedBefore.reduce(0) { $0 + $1.memory }
    }

    private mutating func keep(
        _ bytes: [UInt8], of target: Slot, on base: Slot
    ) throws(StoreError) {
        var deflated: [UInt8]?
        deflated = try bytes.span.withUnsafeBytes { bytes throws(StoreError) in
            try deflater.deflate(bytes)
        }
        if !kept.takes(deflated?.count ?? 0) { deflated = nil }
        found[UInt32(truncatingIfNeeded: target.candidate.number)] = NewDelta(
            base: base.candidate.number, baseOID: base.candidate.oid, size: bytes.count,
            deflated: deflated)
    }

    /// Tries whether the target is a smaller delta on `base` than on what was tried before. A delta that
    /// makes a chain longer has to be smaller.
    private func attempt(_ target: Slot, on base: Slot) throws(StoreError) {
        let (from, to) = (base.candidate, target.candidate)
        if from.home != 0, from.home == to.home { return }
        let deepest = search.request.depth
        guard base.depth < deepest else { return }
        var most = Int(to.size) / 2 - to.oid.format.byteCount
        var depth = 1
        if let delta = target.delta { (most, depth) = (delta.bytes.count, target.depth) }
        most = most * (deepest - base.depth) / (deepest - depth + 1)
        let grown = to.size > from.size ? Int(to.size - from.size) : 0
        guard most > 0, grown < most, to.size >= from.size / 32 else { return }
        let index = try index(of: base)
        let object =
            if let made = target.asTarget { made } else {
                DeltaTarget(try content(of: target))
            }
        target.asTarget = object
        guard let bytes = index.delta(to: object, limit: most) else { return }
        if let delta = target.delta, delta.bytes.count == bytes.count,
            target.depth <= base.depth + 1
        {
            return
        }
        target.delta = (base, bytes)
        target.depth = base.depth + 1
    }

    private func content(of slot: Slot) throws(StoreError) -> [UInt8] {
        if let content = slot.content { return content }
        let oid = slot.candidate.oid
        let object = try search.database.at(oid, tools) { place, tools throws(StoreError) in
            switch place {
            case .packed(let pack, let offset): try pack.object(at: offset, tools)
            case .loose(let loose, _): try loose.read(oid)
            }
        }
        slot.content = object.content
        return object.content
    }

    private func index(of slot: Slot) throws(StoreError) -> DeltaIndex {
        if let index = slot.index { return index }
        let index = DeltaIndex(try content(of: slot))
        slot.index = index
        return index
    }
}
