public import GitCore

/// Why a ref may not be set to an object.
public enum ConnectivityFault: Hashable, Sendable {
    /// Something that it leads to is in neither the quarantine nor the repository.
    case missing
    /// All is there but what is behind commits where the pusher's own history ends.
    case shallow

    /// As Git reports it to the pusher.
    public var reason: String {
        switch self {
        case .missing: "missing necessary objects"
        case .shallow: "shallow update not allowed"
        }
    }
}

extension Quarantine {
    /// Which of `tips` lead to something that is neither in here nor in the repository.
    ///
    /// What the repository's refs lead to counts as there: that is how they were written.
    ///
    /// - Parameters:
    ///   - tips: what refs are to be set to.
    ///   - shallow: commits of which the pusher does not have the parents.
    /// - Returns: a fault for each tip that has one.
    public func connectivityFaults(
        of tips: [ObjectID], shallow: Set<ObjectID> = [], in repository: Repository
    ) throws(StoreError) -> [ObjectID: ConnectivityFault] {
        try ConnectivityCheck(repository, self, cancellation).run(tips, shallow: shallow)
    }
}

extension Repository {
    /// Those of `oids` that are here with all that they lead to. What the refs lead to counts as here.
    package func complete(
        _ oids: [ObjectID], _ cancellation: CancellationFlag = CancellationFlag()
    ) throws(StoreError) -> Set<ObjectID> {
        var present: [ObjectID] = []
        for oid in oids where try objects.contains(oid) { present.append(oid) }
        guard !present.isEmpty else { return [] }
        let faults = try ConnectivityCheck(self, nil, cancellation).run(present, shallow: [])
        return Set(present.filter { faults[$0] == nil })
    }
}

/// Goes through what the new tips lead to, up to what the refs lead to.
private struct ConnectivityCheck {
    private let repository: Repository
    /// Holds what is new; nil where nothing is.
    private let quarantine: Quarantine?
    private let database: ObjectDatabase
    private let cancellation: CancellationFlag
    /// Where the repository's own history ends.
    private let shallow: Set<ObjectID>
    /// What its refs hold.
    private let refs: Set<ObjectID>

    /// New commits that are looked through for where they meet the refs. With more of them, to go
    /// through all the refs costs little beside.
    private static let fewCommits = 1_000
    /// Tips that are looked at one by one once some are known to be faulty; the rest count as faulty.
    private static let mostSingle = 100

    init(
        _ repository: Repository, _ quarantine: Quarantine?, _ cancellation: CancellationFlag
    ) throws(StoreError) {
        self.repository = repository
        self.quarantine = quarantine
        database = quarantine?.database ?? repository.objects
        self.cancellation = cancellation
        shallow = try repository.shallowCommits()
        var refs = Set(
            try repository.refs.list(prefix: "", peeling: false).map(\.oid))
        if let head = try? repository.refs.resolve(.head) { refs.insert(head.oid) }
        self.refs = refs
    }

    func run(
        _ tips: [ObjectID], shallow ends: Set<ObjectID>
    ) throws(StoreError) -> [ObjectID: ConnectivityFault] {
        let tips = Set(tips).subtracting(refs).sorted()
        if tips.isEmpty { return [:] }
        if try isConnected(tips, shallow) { return [:] }
        var faults: [ObjectID: ConnectivityFault] = [:]
        for (number, tip) in tips.enumerated() {
            if number >= Self.mostSingle {
                faults[tip] = .missing
            } else if try !isConnected([tip], shallow) {
                let isEnded = ends.isEmpty ? false : try isConnected([tip], shallow.union(ends))
                faults[tip] = isEnded ? .shallow : .missing
            }
        }
        return faults
    }

    private func isConnected(
        _ tips: [ObjectID], _ shallow: Set<ObjectID>
    ) throws(StoreError) -> Bool {
        do throws(StoreError) {
            if let bases = try border(of: tips, shallow) {
                // The usual push is on top of some refs: the others need no look.
                return try reaches(tips, from: bases, shallow)
            }
            return try reaches(tips, from: refs.filter(isThere), shallow)
        } catch {
            switch error.code {
            case .notFound, .corrupt: return false
            default: throw error
            }
        }
    }

    /// A ref whose object is missing says nothing of what else is.
    private func isThere(_ oid: ObjectID) -> Bool {
        (try? repository.objects.contains(oid)) == true
    }

    /// The commits of refs that new commits are on top of, if all of them are on top of such; else nil.
    private func border(
        of tips: [ObjectID], _ shallow: Set<ObjectID>
    ) throws(StoreError) -> Set<ObjectID>? {
        guard let quarantine else { return nil }
        var bases: Set<ObjectID> = []
        var known = Set(tips)
        var waiting = tips
        while let oid = waiting.popLast() {
            try cancellation.check()
            if refs.contains(oid), isThere(oid) {
                bases.insert(oid)
                continue
            }
            guard known.count < Self.fewCommits, try quarantine.database.holds(oid),
                try quarantine.database.header(oid).kind == .commit
            else { return nil }
            if shallow.contains(oid) { continue }
            for parent in try quarantine.database.commit(oid).parents
            where known.insert(parent).inserted {
                waiting.append(parent)
            }
        }
        return bases
    }

    private func reaches(
        _ tips: [ObjectID], from bases: some Collection<ObjectID>, _ shallow: Set<ObjectID>
    ) throws(StoreError) -> Bool {
        var request = PackRequest()
        request.wants = tips
        request.haves = Array(bases)
        request.shallow = shallow
        let selection = try PackSelection(
            request, database, PackBuildProgress(), cancellation)
        try selection.run()
        // Trees were read, to find what is in them; of the rest it is known only that it is meant.
        for number in selection.chosen.lazy.map({ Int($0) }) {
            let kind = selection.objects.kind(number)
            if kind == .tree { continue }
            try cancellation.check()
            guard try selection.reader.header(number).kind == kind else { return false }
        }
        return true
    }
}
