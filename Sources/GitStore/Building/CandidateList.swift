internal import GitCore

/// The objects of an answer for which no delta of a pack can be used, and those of the receiver that
/// may be bases for them.
struct CandidateList {
    private let plan: PackPlan
    private let selection: PackSelection
    private let cancellation: CancellationFlag
    private let tools = ReadingTools(DeltaBaseCache(budget: 1 << 20, shards: 1))

    init(_ plan: PackPlan, _ selection: PackSelection, _ cancellation: CancellationFlag) {
        self.plan = plan
        self.selection = selection
        self.cancellation = cancellation
    }

    func list() throws(StoreError) -> [DeltaCandidate] {
        var candidates: [DeltaCandidate] = []
        for number in plan.packs.indices {
            let pack = plan.packs[number]
            for (place, member) in pack.members.enumerated() {
                try cancellation.check()
                if let candidate = try candidate(member, at: place, pack, number) {
                    candidates.append(candidate)
                }
            }
        }
        for number in plan.loose {
            candidates.append(try candidate(Int(number), home: 0))
        }
        return selection.request.isThin ? try candidates + received(for: candidates) : candidates
    }

    /// nil for a delta that is used as it is.
    private func candidate(
        _ member: PackMembers.Member, at place: Int, _ pack: PackMembers, _ number: Int
    ) throws(StoreError) -> DeltaCandidate? {
        let entry: PackEntry
        do throws(StoreError) { entry = try pack.pack.entry(at: member.offset, tools) } catch
            where error.code == .corrupt || error.code == .notFound
        {
            return try candidate(Int(member.number), home: 0)
        }
        switch plan.base(of: entry.header, member, at: place, in: number) {
        case .member, .other, .shared, .received: return nil
        case .missing: return try candidate(Int(member.number), home: 0)
        case .none:
            let home = selection.request.reusesDeltas ? number + 1 : 0
            return candidate(Int(member.number), home: home, size: entry.header.size)
        }
    }

    private func candidate(_ number: Int, home: Int) throws(StoreError) -> DeltaCandidate {
        candidate(number, home: home, size: try selection.reader.header(number).size)
    }

    private func candidate(
        _ number: Int, home: Int, size: UInt64, isReceived: Bool = false
    ) -> DeltaCandidate {
        let objects = selection.objects
        let kind = objects.kind(number) ?? .blob
        let hasPath = kind == .tree || kind == .blob
        return DeltaCandidate(
            number: number, oid: objects.oid(number), kind: kind,
            pathHash: hasPath ? objects.hints[number] : 0, size: size, home: home,
            isReceived: isReceived)
    }

    /// Objects of the receiver that have the path of a candidate.
    private func received(
        for candidates: [DeltaCandidate]
    ) throws(StoreError) -> [DeltaCandidate] {
        struct Path: Hashable {
            let kind: ObjectKind
            let hash: UInt32
        }
        // More of one path than the window holds would only drive one another out of it.
        let most = selection.request.window
        var counts: [Path: Int] = [:]
        for candidate in candidates {
            counts[Path(kind: candidate.kind, hash: candidate.pathHash)] = 0
        }
        var found: [DeltaCandidate] = []
        for number in selection.received {
            let objects = selection.objects
            guard let kind = objects.kind(Int(number)) else { continue }
            let path = Path(kind: kind, hash: objects.hints[Int(number)])
            guard let count = counts[path], count < most else { continue }
            counts[path] = count + 1
            do throws(StoreError) {
                let size = try selection.reader.header(Int(number)).size
                found.append(candidate(Int(number), home: 0, size: size, isReceived: true))
            } catch  where error.code == .notFound || error.code == .corrupt {
                // It would be of use, and is not needed.
            }
        }
        return found
    }
}
