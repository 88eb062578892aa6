package import GitCore

/// Names objects in batches: those of a batch side by side, in lanes, and every id is handed over
/// together with the verdict on the object, in the order in which they came. Used by one thread at a
/// time.
///
/// What is hashed is copied into one buffer; an object that is larger than a batch is kept as it is, and
/// ends the batch.
package final class BatchHasher {
    /// An object that has been hashed, good until `done` returns.
    package struct Named {
        /// What the object was given with.
        package let number: Int
        package let kind: ObjectKind
        package let content: UnsafeRawBufferPointer
        /// Its id, unless it is part of a collision attack.
        let verdict: Result<ObjectID, CollisionError>

        /// - Throws: ``StoreError/Code/collision``.
        package func oid() throws(StoreError) -> ObjectID {
            do throws(CollisionError) { return try verdict.get() } catch {
                throw StoreError(.collision, "\(error)", cause: error)
            }
        }
    }

    private struct Item {
        let number: Int
        let kind: ObjectKind
        /// Where in the buffer the header begins, which the content follows.
        let start: Int
        let headerLength: Int
        /// nil where the content is ``BatchHasher/large``.
        let size: Int?
    }

    private let format: ObjectFormat
    private let hasher: LaneHasher
    private let storage: UnsafeMutableRawBufferPointer
    private var used = 0
    private var items: [Item] = []
    private var large: [UInt8] = []

    /// Bytes after which a batch is hashed; and most objects in one, for they may be empty.
    private static var batchSize: Int { LooseReader.largest }
    private static var batchCount: Int { 1 << 12 }

    package init(_ format: ObjectFormat) {
        self.format = format
        hasher = LaneHasher(format)
        // There is always room for an object as large as a batch, and for its header.
        storage = .allocate(byteCount: 2 * Self.batchSize + 64, alignment: 64)
    }

    deinit { storage.deallocate() }

    /// Takes an object in; tells `done` of all that were taken in, if they make a batch.
    ///
    /// - Throws: what `done` throws. The rest of the batch is dropped then.
    package func add<Failure: Error>(
        _ kind: ObjectKind, _ content: [UInt8], number: Int,
        done: (Named) throws(Failure) -> Void
    ) throws(Failure) {
        let header = kind.header(size: UInt64(content.count))
        try add(kind, header: header, content, number: number, done: done)
    }

    /// The same of an object with any header of at most 64 bytes.
    func add<Failure: Error>(
        _ kind: ObjectKind, header: [UInt8], _ content: [UInt8], number: Int,
        done: (Named) throws(Failure) -> Void
    ) throws(Failure) {
        let start = used
        append(header)
        let isLarge = content.count > Self.batchSize
        if isLarge { large = content } else { append(content) }
        items.append(
            Item(
                number: number, kind: kind, start: start, headerLength: header.count,
                size: isLarge ? nil : content.count))
        try finishIfFull(done)
    }

    /// Takes the loose object at `path` in, if it is one that `reader` reads; says whether.
    func load<Failure: Error>(
        _ path: ByteString, _ reader: LooseReader, number: Int,
        done: (Named) throws(Failure) -> Void
    ) throws(Failure) -> Bool {
        let room = UnsafeMutableRawBufferPointer(rebasing: storage[used...])
        guard let header = reader.load(path, into: room) else { return false }
        let size = Int(header.size)
        items.append(
            Item(
                number: number, kind: header.kind, start: used, headerLength: header.length,
                size: size))
        used += header.length + size
        try finishIfFull(done)
        return true
    }

    private func append(_ bytes: [UInt8]) {
        UnsafeMutableRawBufferPointer(rebasing: storage[used...]).copyBytes(from: bytes)
        used += bytes.count
    }

    private func finishIfFull<Failure: Error>(
        _ done: (Named) throws(Failure) -> Void
    ) throws(Failure) {
        guard used >= Self.batchSize || items.count >= Self.batchCount || !large.isEmpty else {
            return
        }
        try finish(done)
    }

    /// Hashes all that was taken in, and tells `done` of it.
    ///
    /// - Throws: what `done` throws. The rest of the batch is dropped then.
    package func finish<Failure: Error>(
        _ done: (Named) throws(Failure) -> Void
    ) throws(Failure) {
        let large = large
        defer { clear() }
        try large.span.withUnsafeBytes { large throws(Failure) in
            let verdicts = hash(large)
            for (item, verdict) in zip(items, verdicts) {
                try done(
                    Named(
                        number: item.number, kind: item.kind, content: content(item, large),
                        verdict: verdict))
            }
        }
    }

    private func clear() {
        used = 0
        items.removeAll(keepingCapacity: true)
        large = []
    }

    // MARK: Hashing

    private func header(_ item: Item) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: storage[item.start...].prefix(item.headerLength))
    }

    private func content(_ item: Item, _ large: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        guard let size = item.size else { return large }
        return UnsafeRawBufferPointer(
            rebasing: storage[(item.start + item.headerLength)...].prefix(size))
    }

    private func hash(_ large: UnsafeRawBufferPointer) -> [Result<ObjectID, CollisionError>] {
        var oids = [ObjectID?](repeating: nil, count: items.count)
        var isAttacked = false
        for (number, item) in items.enumerated() {
            do throws(CollisionError) {
                try hasher.add(header: header(item), content(item, large), number: number) {
                    oids[$0] = $1
                }
            } catch { isAttacked = true }
        }
        while true {
            do throws(CollisionError) {
                try hasher.finish { oids[$0] = $1 }
                break
            } catch { isAttacked = true }
        }
        // Of an attack the lanes tell the id alone: who it is comes out when each is hashed by itself.
        return zip(items, oids).map { item, oid in
            if let oid, !isAttacked { return .success(oid) }
            var hasher = ObjectHasher(format)
            hasher.update(header(item))
            hasher.update(content(item, large))
            return Result { () throws(CollisionError) in try hasher.finalize() }
        }
    }
}
