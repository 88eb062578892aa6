import GitClient
import GitCore
import GitStore
import GitWire

/// The objects of a repository of an upstream, for all who may see any of them.
///
/// It has no branches: what upstream's are is asked for anew each time. Of its refs, `refs/cache/<oid>`,
/// each keeps an object that upstream showed.
final class Mirror: Sendable {
    let name: ByteString
    let repository: Repository

    private struct State {
        var isFetching = false
        /// Fetches that have ended.
        var fetches = 0
    }

    private let state = Monitor(State())
    private static let interval = 200

    init(_ name: ByteString, _ repository: Repository) {
        self.name = name
        self.repository = repository
    }

    /// Sees to it that the objects are here, with all that they lead to: one fetch at a time, whose result is
    /// there for all, and which goes on when the client that it was begun for hangs up.
    ///
    /// - Parameters:
    ///   - wants: what is needed.
    ///   - tips: what is fetched with it where anything is: all that upstream showed.
    ///   - isGone: whether there is nobody any more to wait.
    /// - Throws: ``UpstreamFailure``, `StoreError`, ``CacheError/Code/cancelled``.
    func ensure(
        _ wants: [ObjectID], with tips: [ObjectID], shown: AdvertisedRefs, from session: UploadPack,
        isGone: () -> Bool
    ) throws {
        while true {
            try repository.objects.refresh()
            guard try wants.contains(where: { try !repository.objects.contains($0) }) else {
                return
            }
            let (number, isLeader) = state.change { state in
                defer { state.isFetching = true }
                return (state.fetches, !state.isFetching)
            }
            let failure = Monitor<(any Error)?>(nil)
            if isLeader {
                Task.detached { [self] in
                    do {
                        try await fetch(wants + tips, shown, session)
                    } catch { failure.change { $0 = error } }
                    state.change { state in
                        state.isFetching = false
                        state.fetches += 1
                    }
                }
            }
            while !state.wait(milliseconds: Self.interval, until: { $0.fetches > number }) {
                if isGone() { throw CacheError(.cancelled, "the client is gone") }
            }
            if let error = failure.change({ $0 }) { throw error }
        }
    }

    private func fetch(
        _ wants: [ObjectID], _ shown: AdvertisedRefs, _ session: UploadPack
    ) async throws {
        var options = FetchOptions()
        options.wantsServerProgress = false
        var seen: Set<ObjectID> = []
        let wants = wants.filter { seen.insert($0).inserted }
        do throws(ClientError) {
            let summary = try await Fetch(into: repository, from: session, options: options)
                .run(wants: wants, shown: shown)
            defer { summary.release() }
            do throws(StoreError) { try keep(wants) } catch { throw ClientError(error) }
        } catch {
            if error.code == .store { throw error }
            throw UpstreamFailure(error)
        }
    }

    /// Has refs lead to what came.
    private func keep(_ oids: [ObjectID]) throws(StoreError) {
        try repository.refs.addPacked(
            oids.compactMap { oid in
                RefName("refs/cache/" + ByteString(oid.hex)).map { (name: $0, oid: oid) }
            })
    }
}
