import CSHA1
import Testing

@testable import GitCore

/// Objects hashed side by side, on every kernel that this machine runs.
@Suite struct LaneHasherTests {
    /// Contents, held still while they are hashed.
    private final class Contents {
        let buffers: [UnsafeMutableRawBufferPointer]

        init(_ contents: [[UInt8]]) {
            buffers = contents.map { content in
                let buffer = UnsafeMutableRawBufferPointer.allocate(
                    byteCount: content.count, alignment: 1)
                buffer.copyBytes(from: content)
                return buffer
            }
        }

        deinit { for buffer in buffers { buffer.deallocate() } }
    }

    /// The ids in the order of the contents; each content is lost as soon as its id is there.
    private func ids(_ contents: [[UInt8]], kernel: UInt8) throws -> [ObjectID?] {
        let held = Contents(contents)
        let hasher = LaneHasher(.sha1, kernel: kernel)
        var oids: [ObjectID?] = Array(repeating: nil, count: contents.count)
        var waiting = 0
        func done(_ number: Int, _ oid: ObjectID) {
            #expect(oids[number] == nil)
            oids[number] = oid
            waiting -= 1
            held.buffers[number].initializeMemory(as: UInt8.self, repeating: 0xff)
        }
        for (number, buffer) in held.buffers.enumerated() {
            waiting += 1
            try hasher.add(.blob, UnsafeRawBufferPointer(buffer), number: number, done: done)
            #expect(waiting <= hasher.capacity)
        }
        try hasher.finish(done)
        return oids
    }

    @Test func givesTheIdsThatOneAtATimeGives() throws {
        var generator = SplitMix()
        var contents = (0 ... 700).map { randomBytes($0, &generator) }
        contents += (0 ..< 1_500).map { _ in
            randomBytes(Int.random(in: 0 ... 400, using: &generator), &generator)
        }
        contents += [70_000, 64 * 1_000 - 8, 0, 300_000, 1].map { randomBytes($0, &generator) }
        contents.shuffle()
        let expected = try contents.map { try ObjectHasher.hash(.blob, $0, .sha1) }
        for kernel in hashingKernels {
            #expect(try ids(contents, kernel: kernel) == expected, "kernel \(kernel)")
        }
    }

    @Test(arguments: ObjectFormat.allCases, ObjectKind.allCases)
    func namesEveryKindInBothFormats(_ format: ObjectFormat, _ kind: ObjectKind) throws {
        let held = Contents((0 ..< 40).map { Array(repeating: 0x61, count: $0 * 50) })
        let hasher = LaneHasher(format)
        var oids: [Int: ObjectID] = [:]
        for (number, buffer) in held.buffers.enumerated() {
            try hasher.add(kind, UnsafeRawBufferPointer(buffer), number: number) { oids[$0] = $1 }
        }
        try hasher.finish { oids[$0] = $1 }
        for (number, buffer) in held.buffers.enumerated() {
            let expected = try ObjectHasher.hash(kind, UnsafeRawBufferPointer(buffer), format)
            #expect(oids[number] == expected)
        }
    }

    /// Each published attack, begun in every lane, among objects that are none; more of them come
    /// between it and the end.
    @Test(arguments: [0, 5, 1_100])
    func noticesThePublishedCollisionsInEveryLane(_ following: Int) throws {
        var generator = SplitMix()
        for attack in HashingCollisionTests.attacks {
            let expected = HashingReference.sha1(attack)
            for kernel in hashingKernels {
                for before in following > 100 ? [3] : Array(0 ... 16) {
                    let sizes = (0 ..< before + following).map { _ in
                        Int.random(in: 0 ... 900, using: &generator)
                    }
                    var contents = sizes.map { randomBytes($0, &generator) }
                    contents.insert(Array(attack[40...]), at: before)
                    let held = Contents(contents)
                    let hasher = LaneHasher(.sha1, kernel: kernel)
                    var caught: [[UInt8]] = []
                    func noting(_ body: () throws(CollisionError) -> Void) -> Bool {
                        do throws(CollisionError) { try body() } catch {
                            caught.append(error.oid.rawBytes)
                            return true
                        }
                        return false
                    }
                    attack[..<40].withUnsafeBytes { header in
                        for (number, buffer) in held.buffers.enumerated() {
                            let header =
                                number == before
                                ? header : UnsafeRawBufferPointer(start: nil, count: 0)
                            _ = noting { () throws(CollisionError) in
                                try hasher.add(
                                    header: header, UnsafeRawBufferPointer(buffer), number: number
                                ) { _, _ in }
                            }
                        }
                    }
                    while noting({ () throws(CollisionError) in try hasher.finish { _, _ in } }) {}
                    #expect(caught == [expected], "kernel \(kernel), lane \(before)")
                }
            }
        }
    }

    /// The verdict is there long before the object's end, when many others have come and gone.
    @Test func noticesACollisionFarFromTheEndOfItsObject() throws {
        var generator = SplitMix()
        let attack = HashingCollisionTests.attacks[2] + randomBytes(2_000_000, &generator)
        let expected = sha1([attack[...]], kernel: UInt8(CSHA1_PORTABLE)).digest
        let others = Contents((0 ..< 3_000).map { randomBytes($0 % 300, &generator) })
        let held = Contents([attack])
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        for kernel in hashingKernels where csha1_lane_count(kernel) > 0 {
            let hasher = LaneHasher(.sha1, kernel: kernel)
            try hasher.add(header: none, .init(held.buffers[0]), number: 0) { _, _ in }
            for (number, buffer) in others.buffers.enumerated() {
                try hasher.add(.blob, .init(buffer), number: number + 1) { number, _ in
                    #expect(number > 0)
                }
            }
            let error = #expect(throws: CollisionError.self) { try hasher.finish { _, _ in } }
            #expect(error?.oid.rawBytes == expected)
            try hasher.finish { _, _ in }
        }
    }

    @Test func namesEachOfManyAttacks() throws {
        let attacks = HashingCollisionTests.attacks
        for kernel in hashingKernels {
            let held = Contents(attacks + attacks + attacks)
            let hasher = LaneHasher(.sha1, kernel: kernel)
            var caught: [[UInt8]] = []
            let none = UnsafeRawBufferPointer(start: nil, count: 0)
            for (number, buffer) in held.buffers.enumerated() {
                do throws(CollisionError) {
                    try hasher.add(header: none, UnsafeRawBufferPointer(buffer), number: number) {
                        _, _ in
                    }
                } catch { caught.append(error.oid.rawBytes) }
            }
            for _ in 0 ... held.buffers.count {
                do throws(CollisionError) { try hasher.finish { _, _ in } } catch {
                    caught.append(error.oid.rawBytes)
                }
            }
            let expected = (attacks + attacks + attacks).map(HashingReference.sha1)
            #expect(Set(caught) == Set(expected))
            #expect(caught.count == expected.count)
        }
    }
}
