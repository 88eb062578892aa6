/// A queue between threads that holds at most `capacity` elements, or elements of so much weight
/// together: who would add more waits. An element heavier than all may be alone in it.
package final class BoundedQueue<Element>: Sendable {
    private struct State {
        // Those before `head` are nil, so that nothing is held that was taken.
        var elements: [Element?] = []
        var head = 0
        var isClosed = false
        var weight = 0
    }

    private let state = Monitor(State())
    private let capacity: Int
    private let weigh: @Sendable (Element) -> Int

    package init(capacity: Int, weigh: @escaping @Sendable (Element) -> Int = { _ in 1 }) {
        self.capacity = capacity
        self.weigh = weigh
    }

    /// Adds an element, waiting for room; false, and nothing added, once the queue is closed.
    @discardableResult
    package func push(_ element: sending Element) -> Bool {
        let more = weigh(element)
        return state.wait { state in
            if state.isClosed { return false }
            if state.weight > 0, more > capacity - state.weight { return nil }
            state.elements.append(element)
            state.weight += more
            return true
        }
    }

    /// Adds an element if there is room now; says whether it did.
    @discardableResult
    package func pushIfRoom(_ element: sending Element) -> Bool {
        let more = weigh(element)
        return state.change { state in
            guard !state.isClosed, more <= capacity - state.weight else { return false }
            state.elements.append(element)
            state.weight += more
            return true
        }
    }

    /// The oldest element, waiting for one; nil once the queue is closed and empty.
    package func pop() -> Element? {
        state.wait { state in
            if let first = takeFirst(&state) { return .some(first) }
            return state.isClosed ? .some(nil) : nil
        }
    }

    /// The oldest element if there is one now.
    package func popIfReady() -> Element? { state.change { takeFirst(&$0) } }

    /// Lets nothing more in; what is in it can still be taken.
    package func close() { state.change { $0.isClosed = true } }

    private func takeFirst(_ state: inout State) -> Element? {
        guard state.head < state.elements.count, let element = state.elements[state.head].take()
        else { return nil }
        state.weight -= weigh(element)
        state.head += 1
        if state.head == state.elements.count || state.head > 1_024 {
            state.elements.removeFirst(state.head)
            state.head = 0
        }
        return element
    }
}
