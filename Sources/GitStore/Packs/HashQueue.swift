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
        private(set) var items: [Item] = []
        var oids: [ObjectID] = []

        init() { storage = .allocate(byteCount: HashQueue.batchSize, alignment: 16) }
        deinit { storage.deallocate() }

        func hasRoom(for count: Int) -> Bool {
            items.isEmpty || (storage.count - used >= count && items.count < HashQueue.batchItems)
        }

        /// Room for an object of `count` bytes, for the caller to fill and then ``commit``.
        func room(for count: Int) -> UnsafeMutableRawBufferPointer {
            if storage.count - used < count, items.isEmpty {
                storage.deallocate()
                storage = .allocate(byteCount: count, alignment: 16)
            }
            return UnsafeMutableRawBufferPointer(rebasing: storage[used ..< used + count])
        }

        func commit(row: Int, _ kind: ObjectKind, _ count: Int) {
            items.append(Item(row: row, kind: kind, start: used, count: count))
            used += count
        }

        func clear() {
            if storage.count > HashQueue.batchSize {
                storage.deallocate()
                storage = .allocate(byteCount: HashQueue.batchSize, alignment: 16)
            }
            used = 0
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
    private let failure = FirstFailure()
    private var workers: Workers?

    /// Starts a thread for each of `collectors`, which gathers the links of what it hashes.
    init(_ format: ObjectFormat, collectors: [LinkCollector]) throws(StoreError) {
        // SAFETY: worker i alone uses collectors[i] until ``finish()`` has joined it.
        nonisolated(unsafe) let collectors = collectors
        workers = try Workers(collectors.count) { [waiting, hashed, failure] index in
            while let batch = waiting.pop() {
                failure.catching { () throws(StoreError) in
                    try Self.hash(batch, format, collectors[index])
                }
                if failure.hasFailed { waiting.close() }
                hashed.push(batch)
            }
        }
    }

    deinit { stop() }

    /// Hands over a batch; hashed ones come back through ``takeHashed()``.
    func submit(_ batch: Batch) throws(StoreError) {
        if !waiting.push(batch) { try failure.check() }
    }

    func takeHashed() -> Batch? { hashed.popIfReady() }

    /// Waits until all is hashed.
    func finish() throws(StoreError) {
        stop()
        try failure.check()
    }

    private func stop() {
        waiting.close()
        if let running = workers.take() { running.join() }
    }

    private static func hash(
        _ batch: Batch, _ format: ObjectFormat, _ links: LinkCollector
    ) throws(StoreError) {
        for item in batch.items {
            let content = UnsafeRawBufferPointer(
                rebasing: batch.storage[item.start ..< item.start + item.count])
            batch.oids.append(try identify(item.kind, content, format, links))
        }
    }
}

/// The id of an object of a pack, its links noted.
func identify(
    _ kind: ObjectKind, _ content: UnsafeRawBufferPointer, _ format: ObjectFormat,
    _ links: LinkCollector?
) throws(StoreError) -> ObjectID {
    let oid: ObjectID
    do throws(CollisionError) {
        oid = try ObjectHasher.hash(kind, content, format)
    } catch {
        throw StoreError(.collision, "\(error)", cause: error)
    }
    do throws(ParseError) {
        try links?.collect(kind, content)
    } catch {
        throw StoreError("\(kind.name) \(oid)", error)
    }
    return oid
}
