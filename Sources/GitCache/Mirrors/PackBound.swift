import GitClient
import GitCore
import GitStore
import GitWire
import Synchronization

/// Ends one fetch when its pack outgrows what there is for it: upstream may send without end.
final class PackBound: Sendable {
    private struct State {
        var size: UInt64 = 0
        /// What it was when the disk was looked at last.
        var looked: UInt64 = 0
        /// The first bytes (gitformat-pack: `PACK`, 4 bytes of the version, 4 of the number of objects).
        var head: [UInt8] = []
        var hasMetFullDisk = false
    }

    private let limits: MirrorLimits
    private let path: ByteString
    private let state = Mutex(State())

    /// So many bytes come before the disk is looked at again.
    private static let step: UInt64 = 16 << 20
    private static let headSize = 12
    /// Each takes some 50 bytes of memory while its pack is taken in.
    static let mostObjects: UInt32 = 50_000_000

    /// - Parameter path: where the pack is written.
    init(_ limits: MirrorLimits, _ path: ByteString) {
        self.limits = limits
        self.path = path
    }

    /// How long to wait before the same is fetched again, after it was ended.
    var pause: Duration { .seconds(state.withLock { $0.hasMetFullDisk } ? 60 : 3_600) }

    /// - Throws: `ClientError/Code/store`, with a `StoreError/Code/limit` as its cause.
    func see(_ event: FetchEvent) throws(ClientError) {
        guard case .pack(let bytes) = event else { return }
        let (size, count, isDue) = state.withLock { state in
            let (size, overflows) = state.size.addingReportingOverflow(UInt64(bytes.count))
            state.size = overflows ? .max : size
            let isDue = state.size - state.looked >= Self.step
            if isDue { state.looked = state.size }
            return (state.size, Self.count(&state.head, bytes), isDue)
        }
        let most = limits.maximumPackSize
        if size > most {
            throw Self.failure("upstream's pack has more than \(most) bytes (cache.maxPackSize)")
        }
        if let count, count > Self.mostObjects {
            throw Self.failure("upstream's pack has more than \(Self.mostObjects) objects")
        }
        if isDue, limits.isNearlyFull(path) {
            state.withLock { $0.hasMetFullDisk = true }
            throw Self.failure("the disk is nearly full, and upstream's pack has no end yet")
        }
    }

    /// The number of objects, once it has come, and then no more.
    private static func count(_ head: inout [UInt8], _ bytes: ArraySlice<UInt8>) -> UInt32? {
        guard head.count < headSize else { return nil }
        head += bytes.prefix(headSize - head.count)
        guard head.count == headSize else { return nil }
        return head[8...].reduce(0) { $0 << 8 | UInt32($1) }
    }

    private static func failure(_ message: String) -> ClientError {
        ClientError(StoreError(.limit, message))
    }
}
