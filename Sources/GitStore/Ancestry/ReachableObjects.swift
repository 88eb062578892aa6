package import GitCore
import Synchronization

/// Whether some tips lead to an object: commits first, and all there is only where that is asked for.
/// Works it out once, on the thread that asks first.
package final class ReachableObjects: Sendable {
    package let tips: [ObjectID]
    private let database: ObjectDatabase
    private let shallow: Set<ObjectID>
    private let state = Mutex(State())

    private struct State: @unchecked Sendable {
        // SAFETY: touched under the mutex alone.
        var tips: Set<ObjectID>?
        var commits: Set<ObjectID>?
        var all: PackSelection?
    }

    package init(tips: [ObjectID], in database: ObjectDatabase, shallow: Set<ObjectID>) {
        self.tips = tips
        self.database = database
        self.shallow = shallow
    }

    /// The first of `oids` that nothing leads to; nil where there is none.
    ///
    /// - Throws: ``StoreError/Code/cancelled``, and nothing is kept then.
    package func firstUnreached(
        _ oids: [ObjectID], _ cancellation: CancellationFlag
    ) throws(StoreError) -> ObjectID? {
        try state.withLock { state throws(StoreError) -> ObjectID? in
            let known = state.tips ?? Set(tips)
            state.tips = known
            let rest = oids.filter { !known.contains($0) }
            return rest.isEmpty ? nil : try firstUnreached(rest, &state, cancellation)
        }
    }

    private func firstUnreached(
        _ oids: [ObjectID], _ state: inout State, _ cancellation: CancellationFlag
    ) throws(StoreError) -> ObjectID? {
        if state.all == nil {
            let commits =
                if let known = state.commits { known } else {
                    try allCommits(cancellation)
                }
            state.commits = commits
            let rest = oids.filter { !commits.contains($0) }
            guard !rest.isEmpty else { return nil }
            // A commit that no commit leads to, no tree leads to either.
            for oid in rest where try isMissingOrCommit(oid) { return oid }
            state.all = try allObjects(cancellation)
        }
        guard let all = state.all else { return nil }
        return oids.first { !all.holds($0) }
    }

    private func isMissingOrCommit(_ oid: ObjectID) throws(StoreError) -> Bool {
        do throws(StoreError) {
            return try database.header(oid).kind == .commit
        } catch  where error.code == .notFound {
            return true
        }
    }

    private func allCommits(
        _ cancellation: CancellationFlag
    ) throws(StoreError) -> Set<ObjectID> {
        let ancestry = try Ancestry(database, shallow: shallow, cancellation: cancellation)
        var commits: Set<ObjectID> = []
        try ancestry.walk(from: try ancestry.commits(behind: tips)) { record, _ in
            commits.insert(ancestry.oid(record))
            return .descend
        }
        return commits
    }

    private func allObjects(
        _ cancellation: CancellationFlag
    ) throws(StoreError) -> PackSelection {
        var request = PackRequest()
        request.wants = tips
        request.shallow = shallow
        return try PackAssembler(request, from: database, cancellation: cancellation).select()
    }
}
