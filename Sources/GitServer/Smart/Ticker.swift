internal import GitStore
import Synchronization

/// What is come by each second, on a thread that must not be held up.
protocol Ticking: AnyObject, Sendable {
    func tick()
}

/// A thread that comes by all answers that take long, each second.
final class Ticker: Sendable {
    private let senders = Mutex<[ObjectIdentifier: any Ticking]>([:])
    private let hasEnded = Monitor(false)

    /// - Parameter housework: what is to be done each second besides; it must not wait either.
    init(_ housework: @escaping @Sendable () -> Void = {}) throws(StoreError) {
        let (senders, hasEnded) = (Weak(self), hasEnded)
        try SystemThread {
            while !hasEnded.wait(milliseconds: 1_000, until: { $0 }) {
                senders.value?.tickAll()
                housework()
            }
        }.detach()
    }

    deinit { hasEnded.change { $0 = true } }

    private final class Weak: Sendable {
        weak let value: Ticker?
        init(_ value: Ticker) { self.value = value }
    }

    private func tickAll() {
        let all = senders.withLock { Array($0.values) }
        for sender in all { sender.tick() }
    }

    /// Does `body` while `sender` is come by.
    func run<Result>(_ sender: any Ticking, _ body: () throws -> Result) rethrows -> Result {
        senders.withLock { $0[ObjectIdentifier(sender)] = sender }
        defer { senders.withLock { $0[ObjectIdentifier(sender)] = nil } }
        return try body()
    }
}
