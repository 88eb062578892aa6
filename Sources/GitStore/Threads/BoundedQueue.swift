#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// A queue between threads that holds at most `capacity` elements, or elements of so much weight
/// together: who would add more waits. An element heavier than all may be alone in it.
package final class BoundedQueue<Element>: @unchecked Sendable {
    // SAFETY: everything below is touched only with the mutex held.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    // Those before `head` are nil, so that nothing is held that was taken.
    private var elements: [Element?] = []
    private var head = 0
    private var isClosed = false
    private var weight = 0
    private let capacity: Int
    private let weigh: (Element) -> Int

    package init(capacity: Int, weigh: @escaping (Element) -> Int = { _ in 1 }) {
        self.capacity = capacity
        self.weigh = weigh
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(changed, nil)
    }

    deinit {
        pthread_cond_destroy(changed)
        pthread_mutex_destroy(mutex)
        changed.deallocate()
        mutex.deallocate()
    }

    /// Adds an element, waiting for room; false, and nothing added, once the queue is closed.
    @discardableResult
    package func push(_ element: sending Element) -> Bool {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        let more = weigh(element)
        while weight > 0, more > capacity - weight, !isClosed { pthread_cond_wait(changed, mutex) }
        guard !isClosed else { return false }
        elements.append(element)
        weight += more
        pthread_cond_broadcast(changed)
        return true
    }

    /// The oldest element, waiting for one; nil once the queue is closed and empty.
    package func pop() -> Element? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while elements.count == head, !isClosed { pthread_cond_wait(changed, mutex) }
        return takeFirst()
    }

    /// The oldest element if there is one now.
    package func popIfReady() -> Element? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return takeFirst()
    }

    /// Lets nothing more in; what is in it can still be taken.
    package func close() {
        pthread_mutex_lock(mutex)
        isClosed = true
        pthread_cond_broadcast(changed)
        pthread_mutex_unlock(mutex)
    }

    private func takeFirst() -> Element? {
        guard head < elements.count, let element = elements[head].take() else { return nil }
        weight -= weigh(element)
        head += 1
        if head == elements.count || head > 1_024 {
            elements.removeFirst(head)
            head = 0
        }
        pthread_cond_broadcast(changed)
        return element
    }
}
