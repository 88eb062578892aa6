internal import GitCore

/// Which commits go into the pack: those that the wants reach and the haves do not.
///
/// Commits are gone through from the newest to the oldest. Where a parent is newer than its child,
/// because a clock was wrong, a commit that the receiver has may go into the pack; none is left out
/// that it does not have.
struct CommitWalk {
    private(set) var history: CommitHistory
    private let objects: ReachedObjects
    private var queue = CommitQueue()
    /// Commits in the queue that go into the pack, unless they turn out to be uninteresting.
    private var interestingCount = 0
    private var found: [Int] = []
    private let cancellation: CancellationFlag

    /// Uninteresting commits that are looked at past the oldest one that goes into the pack.
    private static let slop = 5

    init(
        _ history: CommitHistory, _ objects: ReachedObjects, _ cancellation: CancellationFlag
    ) {
        self.history = history
        self.objects = objects
        self.cancellation = cancellation
    }

    /// Begins at a commit, by its number; uninteresting ones are marked as that before.
    mutating func begin(at number: Int) throws(StoreError) {
        guard !objects.has(.met, number) else { return }
        objects.set(.met, number)
        if !objects.has(.uninteresting, number) { interestingCount += 1 }
        let record = try history.record(of: number)
        queue.push(record, time: history.records[record].time)
    }

    /// The records of the commits that go into the pack, in the order in which they were met; among them
    /// some that turned out to be uninteresting later.
    mutating func run() throws(StoreError) -> [Int] {
        var oldest = UInt64.max
        var slop = Self.slop
        while let record = queue.pop() {
            try cancellation.check()
            let commit = history.records[record]
            if objects.has(.uninteresting, commit.commit) {
                if interestingCount == 0, commit.time < oldest {
                    guard slop > 0 else { break }
                    slop -= 1
                } else {
                    slop = Self.slop
                }
                try passOn(commit)
            } else {
                interestingCount -= 1
                oldest = min(oldest, commit.time)
                found.append(record)
                for place in commit.parents { try begin(at: history.parents[place]) }
            }
            if interestingCount == 0, found.isEmpty { break }
        }
        return found
    }

    /// Marks all parents of an uninteresting commit, and theirs as far as they were met.
    private mutating func passOn(_ commit: CommitHistory.Record) throws(StoreError) {
        var rest = commit.parents.map { history.parents[$0] }
        while let parent = rest.popLast() {
            if objects.has(.uninteresting, parent), objects.has(.met, parent) { continue }
            let wasMet = objects.has(.met, parent)
            objects.set(.uninteresting, parent)
            if !wasMet {
                try beginUninteresting(at: parent)
                continue
            }
            // It was taken for one that goes into the pack.
            let record = try history.record(of: parent)
            if queue.contains(record) {
                interestingCount -= 1
            } else {
                rest += history.records[record].parents.map { history.parents[$0] }
            }
        }
    }

    /// The receiver may have a commit that is not here any more.
    private mutating func beginUninteresting(at number: Int) throws(StoreError) {
        do throws(StoreError) { try begin(at: number) } catch  where error.code == .notFound {
            return
        }
    }
}

/// Records of commits, newest first; of the same second, first in first out.
struct CommitQueue {
    private struct Element {
        let time: UInt64
        let order: Int
        let record: Int

        func precedes(_ other: Element) -> Bool {
            time == other.time ? order < other.order : time > other.time
        }
    }

    private var heap: [Element] = []
    private var isQueued: [Bool] = []
    private var order = 0

    func contains(_ record: Int) -> Bool { record < isQueued.count && isQueued[record] }

    mutating func push(_ record: Int, time: UInt64) {
        while isQueued.count <= record { isQueued.append(false) }
        isQueued[record] = true
        let element = Element(time: time, order: order, record: record)
        order += 1
        heap.append(element)
        var place = heap.count - 1
        while place > 0, element.precedes(heap[(place - 1) / 2]) {
            heap[place] = heap[(place - 1) / 2]
            place = (place - 1) / 2
        }
        heap[place] = element
    }

    mutating func pop() -> Int? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        isQueued[first.record] = false
        guard !heap.isEmpty else { return first.record }
        var place = 0
        while true {
            var child = place * 2 + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, heap[child + 1].precedes(heap[child]) { child += 1 }
            guard heap[child].precedes(last) else { break }
            heap[place] = heap[child]
            place = child
        }
        heap[place] = last
        return first.record
    }
}
