internal import GitCore
import Synchronization

/// The objects on which deltas are still to be rebuilt, one stack a thread, from which others take
/// when they have nothing to do.
///
/// A thread goes down its tree depth first. It takes the child with the most descendants last, letting
/// the parent go before: so with n deltas in a tree no more than log2(n) + 2 objects are held, however
/// long the chains are. A thread without work takes the heavier half of another's oldest children.
final class DeltaWork: Sendable {
    /// An object, and its children that are still to do.
    private struct Frame {
        let base: HeldObject
        /// Places in the forest.
        var places: Range<Int>
        /// Rows of deltas by id. How much hangs below them is not known; they go first.
        var refChildren: [UInt32]

        var isDone: Bool { places.isEmpty && refChildren.isEmpty }
    }

    private final class Stack: @unchecked Sendable {
        // SAFETY: `frames` is touched only with the lock held.
        private let lock = Mutex(())
        private var frames: [Frame] = []

        func push(_ frame: Frame) { lock.withLock { _ in frames.append(frame) } }

        /// The next child and its base.
        func next(_ forest: DeltaForest) -> (row: Int, base: HeldObject)? {
            lock.withLock { _ in
                guard !frames.isEmpty else { return nil }
                let top = frames.count - 1
                let row =
                    if let row = frames[top].refChildren.popLast() { Int(row) } else {
                        forest.child(frames[top].places.removeFirst())
                    }
                let base = frames[top].base
                if frames[top].isDone { frames.removeLast() }
                return (row, base)
            }
        }

        /// Half of the children of the oldest frame that can be shared.
        func steal() -> Frame? {
            lock.withLock { _ in
                // A large object stays with the thread that counts it.
                guard
                    let index = frames.firstIndex(where: {
                        !$0.base.isLarge && $0.places.count + $0.refChildren.count > 1
                    })
                else { return nil }
                let frame = frames[index]
                if frame.places.count > 1 || frame.refChildren.isEmpty {
                    let middle = frame.places.lowerBound + frame.places.count / 2
                    frames[index].places = frame.places.lowerBound ..< middle
                    return Frame(
                        base: frame.base, places: middle ..< frame.places.upperBound,
                        refChildren: [])
                }
                let half = frame.refChildren.count / 2
                frames[index].refChildren.removeLast(frame.refChildren.count - half)
                if frames[index].isDone { frames.remove(at: index) }
                return Frame(
                    base: frame.base, places: 0 ..< 0,
                    refChildren: Array(frame.refChildren[half...]))
            }
        }
    }

    private struct Idle {
        /// Threads that take part, which may be fewer than were asked for.
        var started = 0
        var threads = 0
        /// Counts the times that there was new work.
        var calls = 0
        var isOver = false
    }

    private let forest: DeltaForest
    private let stacks: [Stack]
    private let nextRoot = Atomic(0)
    private let idle = Monitor(Idle())
    /// How many threads are idle, for a look without the lock.
    private let idleCount = Atomic(0)

    init(_ forest: DeltaForest, threads: Int) {
        self.forest = forest
        stacks = (0 ..< threads).map { _ in Stack() }
    }

    /// Says that a thread takes part from now on.
    func start() { idle.change { $0.started += 1 } }

    /// Adds an object of which the children are to be rebuilt.
    func push(_ base: HeldObject, thread: Int) {
        push(Frame(base: base, places: forest.children(of: base.row), refChildren: []), thread)
    }

    /// Adds an object on which these deltas were found to be.
    func push(_ base: HeldObject, refChildren: [UInt32], thread: Int) {
        push(Frame(base: base, places: 0 ..< 0, refChildren: refChildren), thread)
    }

    private func push(_ frame: Frame, _ thread: Int) {
        guard !frame.isDone else { return }
        stacks[thread].push(frame)
        if idleCount.load(ordering: .sequentiallyConsistent) > 0 { idle.change { $0.calls += 1 } }
    }

    /// A child to rebuild from this thread's own stack.
    func next(thread: Int) -> (row: Int, base: HeldObject)? { stacks[thread].next(forest) }

    /// The row of a tree's root that nobody has begun.
    func takeRoot() -> Int? {
        guard nextRoot.load(ordering: .relaxed) < forest.roots.count else { return nil }
        let number = nextRoot.add(1, ordering: .relaxed).oldValue
        return number < forest.roots.count ? Int(forest.roots[number]) : nil
    }

    /// Takes work from another thread's stack onto this one's.
    private func steal(for thread: Int) -> Bool {
        for distance in 1 ..< max(stacks.count, 1) {
            if let frame = stacks[(thread + distance) % stacks.count].steal() {
                stacks[thread].push(frame)
                return true
            }
        }
        return false
    }

    /// Waits for work that can be taken from others; false when there will be none.
    func waitForWork(thread: Int) -> Bool {
        if steal(for: thread) { return true }
        idleCount.add(1, ordering: .sequentiallyConsistent)
        defer { idleCount.subtract(1, ordering: .sequentiallyConsistent) }
        var seen = idle.change { state in
            state.threads += 1
            if state.threads == state.started { state.isOver = true }
            return state.calls
        }
        while true {
            // Whoever pushed before this thread was counted did not call.
            if steal(for: thread) {
                idle.change { $0.threads -= 1 }
                return true
            }
            let call = idle.wait { state -> Int?? in
                if state.isOver { return .some(nil) }
                return state.calls == seen ? nil : state.calls
            }
            guard let call else { return false }
            seen = call
        }
    }

    /// Lets all who wait go.
    func stop() { idle.change { $0.isOver = true } }
}
