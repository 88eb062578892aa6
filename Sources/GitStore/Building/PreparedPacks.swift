internal import GitCore

/// Packs that were prepared lately. Of many who ask for the same at once one prepares it, and the others
/// wait for that; who asks again soon finds it done.
///
/// What a pack holds follows from the request alone. Where its objects are taken from follows from the
/// packs of the repository, so both have to be the same.
package final class PreparedPacks: Sendable {
    private struct Key: Hashable {
        let request: PackRequest
        let database: ObjectIdentifier
        let packs: [UInt64]
    }

    private enum Entry {
        /// Somebody prepares it.
        case begun(PackBuildProgress)
        case done(Kept)
    }

    private struct Kept {
        /// Who writes it holds it as well: it can be used as long as anybody does.
        private(set) weak var pack: PreparedPack?
        private var held: PreparedPack?
        var lastUse = ContinuousClock.now

        init(_ pack: PreparedPack) {
            self.pack = pack
            held = pack
        }

        /// Bytes of memory that are taken for the sake of who comes next.
        var cost: Int { held?.cost ?? 0 }
        mutating func letGo() { held = nil }
    }

    private let entries = Monitor<[Key: Entry]>([:])
    private let wholePacks: Admission
    private let budget: Int

    /// Bytes of memory for what is kept.
    private static let budget = 128 << 20
    /// Seconds that something is kept which nobody asks for.
    private static let patience: Duration = .seconds(60)
    /// Milliseconds after which somebody who waits looks for whether to stop.
    private static let interval = 200

    /// - Parameter admitted: how many packs of whole repositories are prepared at once: that takes the most
    ///   memory.
    package init(admitted: Int, budget: Int = budget) {
        wholePacks = Admission(admitted)
        self.budget = budget
    }

    /// Forgets what nobody asked for lately; says whether that was anything. To be called now and then.
    package func tidy() -> Bool {
        let now = ContinuousClock.now
        // What is let go is freed behind the lock.
        let old = entries.change { entries in
            let old = entries
            entries = entries.filter { entry in
                guard case .done(let kept) = entry.value else { return true }
                return kept.pack != nil && now - kept.lastUse < Self.patience
            }
            return old.count > entries.count ? old : nil
        }
        return old != nil
    }

    func pack(
        _ request: PackRequest, _ database: ObjectDatabase, _ progress: PackBuildProgress,
        _ cancellation: CancellationFlag, _ prepare: () throws(StoreError) -> PreparedPack
    ) throws(StoreError) -> PreparedPack {
        let key = Key(
            request: request, database: ObjectIdentifier(database),
            packs: database.stores.flatMap { $0.packs.listing.packs.map(\.number) })
        while true {
            try cancellation.check()
            switch look(key, progress) {
            case .found(let pack):
                progress.setReady(pack.selection.count)
                return pack
            case .leads: return try lead(key, request, cancellation, prepare)
            case .waits(let leader):
                _ = entries.wait(milliseconds: Self.interval) { entries in
                    guard case .begun(let current)? = entries[key] else { return true }
                    return current !== leader
                }
                progress.follow(leader)
            }
        }
    }

    private enum Look {
        case found(PreparedPack)
        case leads
        case waits(PackBuildProgress)
    }

    /// Who is first leads.
    private func look(_ key: Key, _ progress: PackBuildProgress) -> Look {
        entries.change { entries in
            switch entries[key] {
            case .begun(let leader): return .waits(leader)
            case .done(var kept):
                guard let pack = kept.pack else { break }
                kept.lastUse = .now
                entries[key] = .done(kept)
                return .found(pack)
            case nil: break
            }
            entries[key] = .begun(progress)
            return .leads
        }
    }

    private func lead(
        _ key: Key, _ request: PackRequest, _ cancellation: CancellationFlag,
        _ prepare: () throws(StoreError) -> PreparedPack
    ) throws(StoreError) -> PreparedPack {
        do throws(StoreError) {
            let pack = try admitted(request, cancellation, prepare)
            finish(key, pack)
            return pack
        } catch {
            finish(key, nil)
            throw error
        }
    }

    /// Fetches of a few objects do not wait for whole clones.
    private func admitted(
        _ request: PackRequest, _ cancellation: CancellationFlag,
        _ prepare: () throws(StoreError) -> PreparedPack
    ) throws(StoreError) -> PreparedPack {
        guard request.haves.isEmpty, request.shallow.isEmpty else { return try prepare() }
        try wholePacks.enter(cancellation)
        defer { wholePacks.leave() }
        return try prepare()
    }

    private func finish(_ key: Key, _ pack: PreparedPack?) {
        _ = entries.change { entries in
            let old = entries
            entries[key] = pack.map { .done(Kept($0)) }
            reduce(&entries)
            return old
        }
    }

    /// Lets go of what was used longest ago, until the rest fits.
    private func reduce(_ entries: inout [Key: Entry]) {
        var all: [(key: Key, kept: Kept)] = []
        for (key, entry) in entries {
            if case .done(let kept) = entry { all.append((key, kept)) }
        }
        var total = all.reduce(0) { $0 + $1.kept.cost }
        for (key, kept) in all.sorted(by: { $0.kept.lastUse < $1.kept.lastUse })
        where total > budget {
            total -= kept.cost
            var kept = kept
            kept.letGo()
            entries[key] = kept.pack == nil ? nil : .done(kept)
        }
    }
}
