import CSHA1

/// Names many objects at a time: in the sha1 format as many as the processor's vectors have lanes,
/// each in a lane of its own, which the next object takes over when one ends.
///
/// Like ``ObjectHasher`` it detects collision attacks, but the verdict comes later than the id: what
/// looks like an attack is examined together with others. An id is to be trusted only once
/// ``finish(_:)`` has returned. One thread at a time may use a hasher.
public final class LaneHasher {
    private let format: ObjectFormat
    /// nil where single objects are hashed faster, or in another format.
    private let lanes: Lanes?
    private var attacks: [ObjectID] = []
    private let header: UnsafeMutableRawBufferPointer

    /// Takes an object's number, as ``add(_:_:number:done:)`` was given it, and its id. It must not
    /// use the hasher, which is at work.
    public typealias Done = (_ number: Int, _ oid: ObjectID) -> Void

    public convenience init(_ format: ObjectFormat) {
        self.init(format, kernel: csha1_chosen_kernel())
    }

    init(_ format: ObjectFormat, kernel: UInt8) {
        self.format = format
        lanes = format == .sha1 ? Lanes(kernel: kernel) : nil
        header = .allocate(byteCount: ObjectKind.longestHeader, alignment: 1)
    }

    deinit { header.deallocate() }

    /// The most objects that can wait to be done after ``add(_:_:number:done:)`` has returned.
    public var capacity: Int { lanes?.count ?? 0 }

    /// Takes an object in, whose content must stay where it is until `done` is called with its
    /// number; and calls that for those that are done by now, in any order.
    ///
    /// - Throws: ``CollisionError`` when an object, this one or one before, is part of a collision
    ///   attack. The hasher goes on all the same: this object is taken in.
    public func add(
        _ kind: ObjectKind, _ content: UnsafeRawBufferPointer, number: Int, done: Done
    ) throws(CollisionError) {
        let header = kind.writeHeader(size: UInt64(content.count), in: header)
        try add(header: header, content, number: number, done: done)
    }

    /// The same of an object whose header, at most 64 bytes, is given.
    package func add(
        header: UnsafeRawBufferPointer, _ content: UnsafeRawBufferPointer, number: Int, done: Done
    ) throws(CollisionError) {
        if let lanes {
            lanes.makeRoom(done)
            lanes.start(header, content, number: number)
            attacks += lanes.takeAttacks()
        } else {
            var hasher = FormatHasher(format, detects: true)
            hasher.update(header)
            hasher.update(content)
            let (oid, attacked) = hasher.finalize()
            if attacked { attacks.append(oid) }
            done(number, oid)
        }
        try throwAttack()
    }

    /// Hashes all that was taken in, to its end.
    ///
    /// - Throws: ``CollisionError`` when an object taken in is part of a collision attack. There may
    ///   be more: call it again until it returns.
    public func finish(_ done: Done) throws(CollisionError) {
        if let lanes {
            lanes.drain(done)
            attacks += lanes.takeAttacks()
        }
        try throwAttack()
    }

    private func throwAttack() throws(CollisionError) {
        if let oid = attacks.popLast() { throw CollisionError(oid: oid) }
    }
}

/// The lanes, and what each of them is at.
///
/// The bytes of an object are fed in up to three parts: the header with the first bytes of the
/// content in a block; the whole blocks of the rest, from where they are; the last bytes with the
/// padding in one or two blocks. A short object is one part.
private final class Lanes {
    let count: Int

    private enum Part { case head, body, tail }

    private struct Lane {
        var number = 0
        var part = Part.tail
        /// What was not fed yet.
        var rest = UnsafeRawBufferPointer(start: nil, count: 0)
        /// Bytes of header and content.
        var total = 0
        var message = 0
        var wasAttacked = false
    }

    // Plain memory, of `count` and CSHA1_MESSAGES elements: checks of arrays and of exclusive access
    // were 3 % of indexing a pack.
    private let handle: OpaquePointer
    private let few: Int
    private let lanes: UnsafeMutablePointer<Lane>
    /// A bit for each lane.
    private var idle: UInt32
    /// Blocks of each lane that are put together here.
    private let composed: UnsafeMutableRawBufferPointer

    /// The ids by message of those that are done; verdicts on them may be due.
    private let oids: UnsafeMutablePointer<ObjectID?>
    private var messageCount = 0
    private var attacks: [ObjectID] = []

    private static let blockSize = Int(CSHA1_BLOCK)
    /// Blocks that can be put together for a lane.
    private static let composedBlocks = 4
    private static let composedSize = composedBlocks * blockSize
    /// A one bit, and the number of bits in eight bytes.
    private static let paddingSize = 9
    /// A part of more blocks is fed in pieces.
    private static let largestPart = 1 << 30

    init?(kernel: UInt8) {
        count = Int(csha1_lane_count(kernel))
        guard count > 0, count <= 16, let handle = csha1_lanes_new(kernel) else { return nil }
        self.handle = handle
        few = Int(csha1_lanes_few(handle))
        lanes = .allocate(capacity: count)
        lanes.initialize(repeating: Lane(), count: count)
        idle = 1 << UInt32(count) - 1
        composed = .allocate(byteCount: count * Self.composedSize, alignment: 64)
        oids = .allocate(capacity: Int(CSHA1_MESSAGES))
        oids.initialize(repeating: nil, count: Int(CSHA1_MESSAGES))
    }

    deinit {
        csha1_lanes_free(handle)
        lanes.deallocate()
        composed.deallocate()
        oids.deallocate()
    }

    /// Hashes until a lane is idle.
    func makeRoom(_ done: LaneHasher.Done) {
        while idle == 0 { step(done) }
    }

    /// Hashes all lanes to their ends, and settles the verdicts.
    func drain(_ done: LaneHasher.Done) {
        while count - idle.nonzeroBitCount > few { step(done) }
        for lane in 0 ..< count {
            while isBusy(lane) {
                csha1_lanes_hash_one(handle, UInt32(lane))
                advance(lane, done)
            }
        }
        settle()
    }

    func takeAttacks() -> [ObjectID] {
        guard !attacks.isEmpty else { return [] }
        defer { attacks = [] }
        return attacks
    }

    // MARK: Parts

    /// Takes an object into an idle lane, of which there must be one.
    func start(
        _ header: UnsafeRawBufferPointer, _ content: UnsafeRawBufferPointer, number: Int
    ) {
        if messageCount == Int(CSHA1_MESSAGES) { settle() }
        let lane = idle.trailingZeroBitCount
        idle &= idle &- 1
        let total = header.count + content.count
        csha1_lanes_start(handle, UInt32(lane), UInt32(messageCount))
        let blocks = composed(lane)
        let taken: Int
        let part: Part
        if total + Self.paddingSize <= Self.composedSize {
            taken = content.count
            part = .tail
        } else {
            taken = Self.blockSize - header.count
            part = .head
        }
        blocks.copyMemory(from: header)
        UnsafeMutableRawBufferPointer(rebasing: blocks[header.count...])
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: content[..<taken]))
        lanes[lane] = Lane(
            number: number, part: part,
            rest: UnsafeRawBufferPointer(rebasing: content[taken...]), total: total,
            message: messageCount)
        oids[messageCount] = nil
        messageCount += 1
        let size = part == .tail ? pad(blocks, total, total) : Self.blockSize
        feed(lane, UnsafeRawBufferPointer(rebasing: blocks[..<size]))
    }

    /// Hashes as many blocks as no lane's part ends before.
    private func step(_ done: LaneHasher.Done) {
        var ended = csha1_lanes_hash(handle)
        while ended != 0 {
            advance(ended.trailingZeroBitCount, done)
            ended &= ended &- 1
        }
    }

    /// Goes on to the next part of a lane's object.
    private func advance(_ lane: Int, _ done: LaneHasher.Done) {
        let rest = lanes[lane].rest
        switch lanes[lane].part {
        case .tail: return end(lane, done)
        case .body where rest.count < Self.blockSize:
            let blocks = composed(lane)
            blocks.copyMemory(from: rest)
            let size = pad(blocks, rest.count, lanes[lane].total)
            lanes[lane].part = .tail
            feed(lane, UnsafeRawBufferPointer(rebasing: blocks[..<size]))
        case .head, .body:
            let blocks = min(rest.count / Self.blockSize, Self.largestPart)
            let size = blocks * Self.blockSize
            lanes[lane].part = .body
            lanes[lane].rest = UnsafeRawBufferPointer(rebasing: rest[size...])
            feed(lane, UnsafeRawBufferPointer(rebasing: rest[..<size]))
        }
    }

    private func feed(_ lane: Int, _ blocks: UnsafeRawBufferPointer) {
        // SAFETY: the kernel reads these blocks, which stay until the lane goes on.
        csha1_lanes_feed(
            handle, UInt32(lane), blocks.baseAddress?.assumingMemoryBound(to: UInt8.self),
            UInt32(truncatingIfNeeded: blocks.count / Self.blockSize))
    }

    private func composed(_ lane: Int) -> UnsafeMutableRawBufferPointer {
        let start = lane * Self.composedSize
        return UnsafeMutableRawBufferPointer(
            rebasing: composed[start ..< start + Self.composedSize])
    }

    /// Ends a message of `total` bytes, of which the last `used` are in `blocks`; says how many bytes
    /// of blocks that makes.
    private func pad(_ blocks: UnsafeMutableRawBufferPointer, _ used: Int, _ total: Int) -> Int {
        let size = (used + Self.paddingSize + Self.blockSize - 1) & ~(Self.blockSize - 1)
        UnsafeMutableRawBufferPointer(rebasing: blocks[used ..< size])
            .initializeMemory(as: UInt8.self, repeating: 0)
        blocks[used] = 0x80
        blocks.storeBytes(
            of: (UInt64(total) << 3).bigEndian, toByteOffset: size - 8, as: UInt64.self)
        return size
    }

    // MARK: Ends

    private func end(_ lane: Int, _ done: LaneHasher.Done) {
        let oid = withUnsafeTemporaryAllocation(byteCount: Int(CSHA1_DIGEST), alignment: 8) {
            digest in
            csha1_lanes_digest(
                handle, UInt32(lane), digest.baseAddress?.assumingMemoryBound(to: UInt8.self))
            return ObjectID(raw: UnsafeRawBufferPointer(digest), .sha1)
        }
        csha1_lanes_idle(handle, UInt32(lane))
        idle |= 1 << UInt32(lane)
        oids[lanes[lane].message] = oid
        if lanes[lane].wasAttacked { attacks.append(oid) }
        done(lanes[lane].number, oid)
    }

    /// Settles all verdicts that are due, and numbers the messages in the lanes anew.
    private func settle() {
        let wereAttacked = csha1_lanes_confirm(handle)
        for message in 0 ..< messageCount where wereAttacked {
            guard csha1_lanes_attacked(handle, UInt32(message)) else { continue }
            if let oid = oids[message] {
                attacks.append(oid)
            } else if let lane = (0 ..< count).first(where: {
                isBusy($0) && lanes[$0].message == message
            }) {
                lanes[lane].wasAttacked = true
            }
        }
        messageCount = 0
        for lane in 0 ..< count where isBusy(lane) {
            lanes[lane].message = messageCount
            csha1_lanes_renumber(handle, UInt32(lane), UInt32(messageCount))
            oids[messageCount] = nil
            messageCount += 1
        }
    }

    private func isBusy(_ lane: Int) -> Bool { idle >> UInt32(lane) & 1 == 0 }
}
