internal import GitCore

/// What is known of an object that a walk has met: its kind in the lower three bits, and marks.
struct ReachedMarks: OptionSet {
    let rawValue: UInt16

    /// Its links were followed, or wait to be.
    static let met = ReachedMarks(rawValue: 8)
    /// The receiver has it, and all that it leads to.
    static let uninteresting = ReachedMarks(rawValue: 16)
    /// It goes into the pack.
    static let chosen = ReachedMarks(rawValue: 32)
    /// Somebody asked for it by its id: no filter leaves it out.
    static let given = ReachedMarks(rawValue: 64)
    /// Its links were followed.
    static let followed = ReachedMarks(rawValue: 128)
    /// The tree that it is a delta on is followed first. Once: the pack may have a circle.
    static let waits = ReachedMarks(rawValue: 256)
}

/// The objects that a walk has met, numbered from 0: some 50 bytes for each.
///
/// An open table with linear probing leads from an id to its number. Whoever made a tree chose the ids
/// in it, so an id's place comes from a hash with a random key.
final class ReachedObjects {
    let format: ObjectFormat
    private(set) var count = 0
    private let key = ObjectIDKey()
    private var capacity = 0
    private var ids: UnsafeMutableRawPointer
    private(set) var marks: UnsafeMutablePointer<ReachedMarks>
    /// Where each is, as ``PackedPlaces`` writes it; 0 where nobody looked.
    private(set) var places: UnsafeMutablePointer<UInt64>
    /// Of a commit, its number in the history; of a tree or blob, the hash of its path.
    private(set) var hints: UnsafeMutablePointer<UInt32>
    /// The number and one in the lower half, bits of the hash in the upper half; 0 is empty.
    private var slots: UnsafeMutablePointer<UInt64>
    private var slotMask: Int

    private static let smallestCapacity = 1_024
    /// Numbers have to fit 32 bits, and one more.
    static let maximum = Int(UInt32.max) - 1

    init(_ format: ObjectFormat) {
        self.format = format
        capacity = Self.smallestCapacity
        ids = .allocate(byteCount: capacity * format.byteCount, alignment: 8)
        marks = .allocate(capacity: capacity)
        places = .allocate(capacity: capacity)
        hints = .allocate(capacity: capacity)
        slotMask = capacity * 2 - 1
        slots = .allocate(capacity: capacity * 2)
        slots.initialize(repeating: 0, count: capacity * 2)
    }

    deinit {
        ids.deallocate()
        marks.deallocate()
        places.deallocate()
        hints.deallocate()
        slots.deallocate()
    }

    // MARK: Numbers

    /// The object's number; a new one for an object that was not met before.
    @inline(__always)
    func number(of id: RawObjectID) -> Int {
        let hash = key.hash(id)
        var slot = Int(truncatingIfNeeded: hash) & slotMask
        while true {
            let held = slots[slot]
            if held == 0 { return add(id, hash, slot) }
            if (held ^ hash) >> 32 == 0 {
                let number = Int(truncatingIfNeeded: held & 0xffff_ffff) &- 1
                if rawID(number) == id { return number }
            }
            slot = (slot &+ 1) & slotMask
        }
    }

    func number(of oid: ObjectID) -> Int { number(of: Self.raw(oid)) }

    /// The number of an object if it was met.
    func find(_ oid: ObjectID) -> Int? {
        let id = Self.raw(oid)
        let hash = key.hash(id)
        var slot = Int(truncatingIfNeeded: hash) & slotMask
        while slots[slot] != 0 {
            let number = Int(truncatingIfNeeded: slots[slot] & 0xffff_ffff) &- 1
            if (slots[slot] ^ hash) >> 32 == 0, rawID(number) == id { return number }
            slot = (slot &+ 1) & slotMask
        }
        return nil
    }

    /// - Throws: ``StoreError/Code/limit`` when there are more objects than can be numbered.
    func check() throws(StoreError) {
        guard count < Self.maximum else {
            throw StoreError(.limit, "more than \(Self.maximum) objects")
        }
    }

    private func add(_ id: RawObjectID, _ hash: UInt64, _ slot: Int) -> Int {
        // The last number stands for all that are too many, until ``check()`` is called.
        guard count < Self.maximum else { return count - 1 }
        let number = count
        let isFull = number == capacity
        if isFull { grow() }
        id.store(to: ids + number * format.byteCount, format)
        marks[number] = []
        places[number] = 0
        hints[number] = 0
        count += 1
        // Growing moved the slots.
        enter(number, hash, from: isFull ? nil : slot)
        return number
    }

    private func enter(_ number: Int, _ hash: UInt64, from slot: Int?) {
        var slot = slot ?? Int(truncatingIfNeeded: hash) & slotMask
        while slots[slot] != 0 { slot = (slot &+ 1) & slotMask }
        slots[slot] = hash & ~0xffff_ffff | UInt64(number + 1)
    }

    private func grow() {
        let old = capacity
        capacity *= 2
        let newIDs = UnsafeMutableRawPointer.allocate(
            byteCount: capacity * format.byteCount, alignment: 8)
        newIDs.copyMemory(from: ids, byteCount: old * format.byteCount)
        ids.deallocate()
        ids = newIDs
        marks = Self.grown(marks, old, capacity)
        places = Self.grown(places, old, capacity)
        hints = Self.grown(hints, old, capacity)
        slots.deallocate()
        slots = .allocate(capacity: capacity * 2)
        slots.initialize(repeating: 0, count: capacity * 2)
        slotMask = capacity * 2 - 1
        for number in 0 ..< old { enter(number, key.hash(rawID(number)), from: nil) }
    }

    private static func grown<Element: BitwiseCopyable>(
        _ old: UnsafeMutablePointer<Element>, _ count: Int, _ capacity: Int
    ) -> UnsafeMutablePointer<Element> {
        let new = UnsafeMutablePointer<Element>.allocate(capacity: capacity)
        new.update(from: old, count: count)
        old.deallocate()
        return new
    }

    // MARK: Ids

    @inline(__always)
    func rawID(_ number: Int) -> RawObjectID {
        // SAFETY: numbers come from this table, and are under `count`.
        RawObjectID(UnsafeRawPointer(ids + number &* format.byteCount), format)
    }

    func oid(_ number: Int) -> ObjectID {
        ObjectID(
            raw: UnsafeRawBufferPointer(
                start: ids + number * format.byteCount, count: format.byteCount), format)
    }

    private static func raw(_ oid: ObjectID) -> RawObjectID {
        withUnsafeTemporaryAllocation(byteCount: 32, alignment: 8) { buffer in
            oid.write(to: buffer)
            // SAFETY: the allocation is not empty, so it has a base address.
            return RawObjectID(UnsafeRawPointer(buffer.baseAddress.unsafelyUnwrapped), oid.format)
        }
    }

    // MARK: What is known of each

    /// nil where nothing has told it yet.
    @inline(__always)
    func kind(_ number: Int) -> ObjectKind? {
        ObjectKind(rawValue: UInt8(truncatingIfNeeded: marks[number].rawValue & 7))
    }

    @inline(__always)
    func setKind(_ kind: ObjectKind, _ number: Int) {
        marks[number] = ReachedMarks(
            rawValue: marks[number].rawValue & ~7 | UInt16(kind.rawValue))
    }

    @inline(__always)
    func has(_ mark: ReachedMarks, _ number: Int) -> Bool {
        marks[number].rawValue & mark.rawValue != 0
    }

    @inline(__always)
    func set(_ mark: ReachedMarks, _ number: Int) { marks[number].formUnion(mark) }

    func clear(_ mark: ReachedMarks, _ number: Int) { marks[number].subtract(mark) }
}
