import Synchronization

/// Tools for reading that no thread has in hand.
final class ToolShelf: Sendable {
    private struct Idle: @unchecked Sendable {
        // SAFETY: tools in here are in nobody's hands.
        var tools: [ReadingTools] = []
    }
    private let idle = Mutex(Idle())
    private let cache: DeltaBaseCache

    init(_ cache: DeltaBaseCache) { self.cache = cache }

    /// Lends tools, to be given back by ``give(_:)``.
    func take() -> ReadingTools {
        idle.withLock { $0.tools.popLast() } ?? ReadingTools(cache)
    }

    func give(_ tools: ReadingTools) {
        tools.shrink()
        // SAFETY: the caller has them no more.
        nonisolated(unsafe) let tools = tools
        idle.withLock { $0.tools.append(tools) }
    }

    func clear() {
        let old = idle.withLock { idle in
            defer { idle.tools = [] }
            return Idle(tools: idle.tools)
        }
        withExtendedLifetime(old) {}
    }
}
