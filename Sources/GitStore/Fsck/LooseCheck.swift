import GitCore
import Synchronization

/// Holds loose objects against their names, on several threads, and on each of them many at a time.
struct LooseCheck: Sendable {
    private let store: LooseStore
    private let oids: [ObjectID]

    struct Findings {
        /// What the objects are, by their numbers, where that was found out, and they are sound.
        var kinds: [ObjectKind?] = []
        /// What is wrong, in the order of the objects. An object that is gone by now is not wrong.
        var faults: [(number: Int, error: StoreError)] = []
    }

    /// Objects that a thread takes at a time.
    private static let stretch = 256

    init(_ oids: [ObjectID], in store: LooseStore) {
        self.oids = oids
        self.store = store
    }

    /// What is found. Where the system fails it ends early: with the fault that says so, no objects
    /// before which were left out.
    func run(threads: Int) -> Findings {
        let next = Atomic(0)
        let hasFailed = CancellationFlag()
        let found = Mutex<[Int: Findings]>([:])
        let count = (oids.count + Self.stretch - 1) / Self.stretch
        Workers.run(min(threads, count)) { _ in
            let worker = Worker(store)
            while !hasFailed.isSet {
                let number = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard number < count else { return }
                let start = number * Self.stretch
                let findings = worker.check(oids, start ..< min(start + Self.stretch, oids.count))
                if findings.faults.contains(where: { $0.error.code == .system }) { hasFailed.set() }
                found.withLock { $0[number] = findings }
            }
        }
        return found.withLock { found in
            var all = Findings()
            // They were begun in this order, and whatever was begun was done.
            for number in 0 ..< found.count {
                guard let findings = found[number] else { continue }
                all.kinds += findings.kinds
                all.faults += findings.faults
            }
            return all
        }
    }

    /// What one thread has for itself.
    private final class Worker {
        private let store: LooseStore
        private let hasher: BatchHasher
        private let reader = LooseReader()

        init(_ store: LooseStore) {
            self.store = store
            hasher = BatchHasher(store.format)
        }

        func check(_ oids: [ObjectID], _ numbers: Range<Int>) -> Findings {
            var findings = Findings(kinds: Array(repeating: nil, count: numbers.count))
            func compare(_ object: BatchHasher.Named) {
                let number = object.number
                if case .success(oids[number]) = object.verdict {
                    findings.kinds[number - numbers.lowerBound] = object.kind
                } else {
                    examine(number)
                }
            }
            /// Looks at one by itself: it is large, or something is wrong with it.
            func examine(_ number: Int) {
                do throws(StoreError) { _ = try store.stream(oids[number]) { _ in } } catch {
                    findings.faults.append((number, error))
                }
            }
            for number in numbers {
                if !hasher.load(store.path(oids[number]), reader, number: number, done: compare) {
                    examine(number)
                }
            }
            hasher.finish(compare)
            findings.faults.sort { $0.number < $1.number }
            return findings
        }
    }
}
