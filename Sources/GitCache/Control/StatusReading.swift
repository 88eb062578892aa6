import GitClient
import GitCore
import GitServer
import GitStore

extension CacheStatus {
    /// Of a store that no cache runs on. Nothing is changed.
    init(store: ByteString) throws(CacheError) {
        do throws(StoreError) {
            var count = 0
            var bytes: UInt64 = 0
            for size in try AnswerFolder.list(store / "answers").whole.values {
                count += 1
                bytes &+= size
            }
            let places = try MirrorFolder.find(in: store / "mirrors")
            self.init(
                running: nil, answers: (count, bytes),
                mirrors: places.map { Self.mirror($0.key, $0.value, nil) }.sorted {
                    $0.name < $1.name
                })
        } catch { throw CacheError(error) }
    }

    /// Of a cache that runs.
    init(_ core: CacheCore, _ hosts: UpstreamHosts, seconds: Int, sent: UInt64) {
        let statistics = core.answers.statistics
        let running = Running(
            seconds: seconds,
            upstreams: hosts.current.values.sorted { $0.name < $1.name }
                .map { ($0.name, $0.base.redacted) },
            mirrorBudget: core.mirrors.budget, answerBudget: core.answers.budget,
            hits: statistics.hits, shared: statistics.follows, made: statistics.misses, sent: sent)
        core.mirrors.measure()
        let places = core.mirrors.places.withLock { $0 }
        self.init(
            running: running, answers: (statistics.answers, statistics.bytes),
            mirrors: places.map { Self.mirror($0.key, $0.value, $0.value.mirror) }
                .sorted { $0.name < $1.name })
    }

    private static func mirror(
        _ name: ByteString, _ place: MirrorFolder.Place, _ mirror: Mirror?
    ) -> MirrorStatus {
        let objects =
            (mirror?.repository ?? (try? MirrorFolder.repository(at: place.directory)))?.objects
        try? objects?.refresh()
        let packs = objects?.packCounts ?? []
        return MirrorStatus(
            name: name, objects: packs.reduce(0) { $0 + $1.count }, packs: packs.count,
            bytes: place.measured?.bytes ?? FileSystem.bytes(in: place.directory),
            lastUse: place.lastUse, isFetching: mirror?.isFetching ?? false)
    }
}
