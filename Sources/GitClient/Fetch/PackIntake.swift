import GitCore
import GitStore

/// The thread that takes in a fetched pack: verifies it, checks that with it all is there that was asked
/// for, and gives it to the repository. Until then it is in a quarantine.
final class PackIntake: Sendable {
    let receiver = PackReceiver()
    let progress = PackProgress()
    let quarantine: Quarantine

    private let repository: Repository
    private let wants: [ObjectID]
    private let shallow: Set<ObjectID>
    private let settings: ReceiveSettings
    private let isBehind: Bool
    private let warn: @Sendable (String) -> Void

    /// - Parameters:
    ///   - isBehind: whether what else is done with the pack goes first.
    ///   - warn: is told of faults in objects.
    init(
        _ repository: Repository, wants: [ObjectID], shallow: Set<ObjectID>, unpackLimit: Int?,
        isBehind: Bool, warn: @escaping @Sendable (String) -> Void
    ) throws(ClientError) {
        self.repository = repository
        self.wants = wants
        self.shallow = shallow
        self.isBehind = isBehind
        self.warn = warn
        var settings = try storing { () throws(StoreError) in
            try ReceiveSettings(fetching: repository.config)
        }
        if let unpackLimit { settings.unpackLimit = unpackLimit }
        self.settings = settings
        quarantine = try storing { () throws(StoreError) in try Quarantine(repository) }
    }

    /// Stops the thread without storing anything.
    func abandon() { quarantine.cancel() }

    /// Says how many objects came, once all that was sent is in the repository.
    func run() async -> Result<Int, ClientError> {
        do throws(ClientError) {
            // Also where no thread could be started, nobody is to wait for it.
            defer { receiver.stop() }
            return .success(
                try await DetachedThread.run { [self] () throws(ClientError) in
                    defer { receiver.stop() }
                    return try storing { () throws(StoreError) in try take() }
                } onCancel: {
                    quarantine.cancel()
                })
        } catch {
            return .failure(error)
        }
    }

    private func take() throws(StoreError) -> Int {
        // Whatever is not given to the repository goes.
        defer { quarantine.discard() }
        let pack = try receive()
        try check(pack)
        if pack.receivedCount > 0 { try quarantine.migrate() }
        return pack.receivedCount
    }

    private func receive() throws(StoreError) -> IndexedPack {
        guard isBehind else { return try receive(receiver.source()) }
        let spool = try PackSpool(receiver, in: quarantine.directory)
        SystemThread.giveWay()
        do throws(StoreError) {
            return try receive(spool.source())
        } catch { throw spool.failure ?? error }
    }

    private func receive(
        _ source: @escaping () -> ArraySlice<UInt8>?
    ) throws(StoreError) -> IndexedPack {
        try quarantine.receivePack(settings, progress: progress, notice: warn, from: source)
    }

    private func check(_ pack: IndexedPack) throws(StoreError) {
        // Where history ends here, commits point to what need not be there.
        if shallow.isEmpty {
            for oid in wants + pack.missingLinks where !pack.contains(oid) {
                if try quarantine.database.contains(oid) { continue }
                throw StoreError(.corrupt, "the server did not send all objects: \(oid) is missing")
            }
        }
        // All that the pack leads to is in it.
        if pack.missingLinks.isEmpty, wants.allSatisfy(pack.contains) { return }
        let faults = try quarantine.connectivityFaults(of: wants, in: repository)
        if let oid = wants.first(where: { faults[$0] != nil }) {
            throw StoreError(
                .corrupt, "the server did not send all objects that \(oid) leads to")
        }
    }
}
