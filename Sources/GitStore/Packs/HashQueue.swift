internal import GitCore

/// Hashes objects in batches on other threads while the pack still arrives.
final class HashQueue {
    /// Objects waiting to be hashed, their contents one after the other in one buffer.
    final class Batch: @unchecked Sendable {
        // SAFETY: a batch has one owner at a time: whoever took it from a queue.
        struct Item {
            let row: Int
            let kind: ObjectKind
            let start: Int
            let count: Int
        }
        private(set) var storage: UnsafeMutableRawBufferPointer
        private(set) var used = 0
        private var pieces = 0
        private(set) var items: [Item] = []
        /// The ids by item.
        fileprivate(set) var oids: [ObjectID?] = []
        fileprivate var unhashedCount = 0

        init() { storage = .allocate(byteCount: HashQueue.batchSize, alignment: 16) }
        deinit { storage.deallocate() }

        func hasRoom(for count: Int) -> Bool {
            pieces == 0 || (storage.count - used >= count && pieces < HashQueue.batchItems)
        }

        /// Room for an object of `count` bytes, for the caller to fill and then ``commit``.
        func room(for count: Int) -> UnsafeMutableRawBufferPointer {
            if storage.count - used < count, pieces == 0 {
                storage.deallocate()
                storage = .allocate(byteCount: count, alignment: 16)
            }
            return UnsafeMutableRawBufferPointer(rebasing: storage[used ..< used + count])
        }

        func commit(row: Int, _ kind: ObjectKind, _ count: Int) {
            add(row: row, kind, at: reserve(count), count)
        }

        /// Keeps the bytes last asked for; says where they are.
        func reserve(_ count: Int) -> Int {
            defer {
                used += count
                pieces += 1
            }
            return used
        }

        /// Says which row's object is in bytes that were reserved; others are not hashed.
        func add(row: Int, _ kind: ObjectKind, at start: Int, _ count: Int) {
            items.append(Item(row: row, kind: kind, start: start, count: count))
        }

        fileprivate func begin() {
            oids = Array(repeating: nil, count: items.count)
            unhashedCount = items.count
        }

        func clear() {
            if storage.count > HashQueue.batchSize {
                storage.deallocate()
                storage = .allocate(byteCount: HashQueue.batchSize, alignment: 16)
            }
            used = 0
            pieces = 0
            items.removeAll(keepingCapacity: true)
            oids.removeAll(keepingCapacity: true)
        }
    }

    /// Bytes of one batch; an object that is larger has a batch to itself.
    static let batchSize = 1 << 20
    /// Most objects in a batch: they may be empty.
    static let batchItems = 1 << 14

    private let waiting = BoundedQueue<Batch>(capacity: 8 << 20) { $0.storage.count }
    private let hashed = BoundedQueue<Batch>(capacity: .max)
    /// Empty batches, to be used again.
    private let spare = BoundedQueue<Batch>(capacity: 16)
    private let failure = FirstFailure()
    private var workers: Workers?
    /// What the calling thread hashes with when the others have enough to do; nil where it may not.
    private let ownWorker: Worker?

    /// What a thread hashes with.
    private final class Worker {
        private let format: ObjectFormat
        private let links: LinkCollector
        private let hashed: BoundedQueue<Batch>
        private let hasher: RowHasher<Batch>

        init(_ format: ObjectFormat, _ links: LinkCollector, _ hashed: BoundedQueue<Batch>) {
            self.format = format
            self.links = links
            self.hashed = hashed
            hasher = RowHasher(format)
        }

        /// Takes in the objects of a batch, which goes on once all of them are done.
        func hash(_ batch: Batch) throws(StoreError) {
            batch.begin()
            for (number, item) in batch.items.enumerated() {
                let content = UnsafeRawBufferPointer(
                    rebasing: batch.storage[item.start ..< item.start + item.count])
                do throws(ParseError) {
                    try links.collect(item.kind, content)
                } catch { throw malformedObject(item.kind, content, format, error) }
                try hasher.add(number, item.kind, content, batch, done: done)
            }
        }

        /// Hashes to the end what was begun.
        func finish() throws(StoreError) { try hasher.finish(done) }

        private func done(_ item: Int, _ oid: ObjectID, _ batch: Batch) {
            batch.oids[item] = oid
            batch.unhashedCount -= 1
            if batch.unhashedCount == 0 { hashed.push(batch) }
        }
    }

    /// Starts threads that hash, one for each of `collectors`, which gathers the links of what it hashes;
    /// but the last, if there are more than one, is for the calling thread.
    init(_ format: ObjectFormat, collectors: [LinkCollector]) throws(StoreError) {
        let hashers = collectors.map { [hashed] in Worker(format, $0, hashed) }
        ownWorker = hashers.count > 1 ? hashers.last : nil
        // SAFETY: thread i alone uses hashers[i], until ``finish()`` has joined it.
        nonisolated(unsafe) let others = hashers
        workers = try Workers(max(1, hashers.count - 1)) { [waiting, failure] index in
            failure.catching { () throws(StoreError) in
                while let batch = try Self.next(waiting, others[index]), !failure.hasFailed {
                    try others[index].hash(batch)
                }
            }
            if failure.hasFailed { waiting.close() }
        }
    }

    deinit { stop() }

    /// Hands over a batch; hashed ones come back through ``takeHashed()``.
    func submit(_ batch: Batch) throws(StoreError) {
        if let ownWorker {
            if waiting.pushIfRoom(batch) { return }
            try failure.check()
            // Rather than wait.
            try ownWorker.hash(batch)
        } else if !waiting.push(batch) {
            try failure.check()
        }
    }

    func takeHashed() -> Batch? { hashed.popIfReady() }

    /// An empty batch. Any thread may ask.
    func makeBatch() -> Batch { spare.popIfReady() ?? Batch() }

    /// Takes a batch back that is not needed any more.
    func recycle(_ batch: Batch) {
        batch.clear()
        spare.pushIfRoom(batch)
    }

    /// Waits until all is hashed.
    func finish() throws(StoreError) {
        if let ownWorker {
            while let batch = waiting.popIfReady() { try ownWorker.hash(batch) }
            try ownWorker.finish()
        }
        stop()
        while spare.popIfReady() != nil {}
        try failure.check()
    }

    private func stop() {
        waiting.close()
        if let running = workers.take() { running.join() }
    }

    /// The next batch; while there is none, what was begun is hashed to its end.
    private static func next(
        _ waiting: BoundedQueue<Batch>, _ worker: Worker
    ) throws(StoreError) -> Batch? {
        if let batch = waiting.popIfReady() { return batch }
        try worker.finish()
        return waiting.pop()
    }
}

/// The error of an object of a pack that cannot be read.
func malformedObject(
    _ kind: ObjectKind, _ content: UnsafeRawBufferPointer, _ format: ObjectFormat,
    _ error: ParseError
) -> StoreError {
    do throws(CollisionError) {
        return StoreError("\(kind.name) \(try ObjectHasher.hash(kind, content, format))", error)
    } catch { return StoreError(.collision, "\(error)", cause: error) }
}
