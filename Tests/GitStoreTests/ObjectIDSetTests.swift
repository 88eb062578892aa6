import GitCore
import Synchronization
import Testing

@testable import GitStore

@Suite struct ObjectIDSetTests {
    private func id(_ bytes: [UInt8]) -> ObjectID {
        ObjectID(raw: bytes.span, bytes.count == 20 ? .sha1 : .sha256)
    }

    private func insert(_ oid: ObjectID, _ set: ObjectIDSet) {
        oid.rawBytes.withUnsafeBytes { bytes in
            if let start = bytes.baseAddress { set.insert(RawObjectID(start, oid.format)) }
        }
    }

    private func ids(
        _ count: Int, _ format: ObjectFormat, seed: UInt64 = 1, sharing prefix: Int = 0
    ) -> [ObjectID] {
        let bytes = PackRandom.bytes(count * format.byteCount, seed: seed)
        return (0 ..< count).map { number in
            let raw = bytes[number * format.byteCount ..< (number + 1) * format.byteCount]
            return id([UInt8](repeating: 5, count: prefix) + raw.dropFirst(prefix))
        }
    }

    @Test(arguments: ObjectFormat.allCases, [0, 8, 16]) func holdsEachOnce(
        format: ObjectFormat, prefix: Int
    ) {
        let set = ObjectIDSet(format)
        let ids = ids(20_000, format, sharing: prefix)
        for oid in ids { insert(oid, set) }
        for oid in ids { insert(oid, set) }
        #expect(set.count == 20_000)
        let present =
            ids[..<15_000].shuffled().flatMap(\.rawBytes)
            + self.ids(
                100, format, seed: 9
            ).flatMap(\.rawBytes)
        let rest = present.withUnsafeBytes { set.subtracting($0) }
        let isRest = rest == ids[15_000...].sorted()
        #expect(isRest)
    }

    @Test(arguments: ObjectFormat.allCases) func zeroIsAnIDToo(format: ObjectFormat) {
        let set = ObjectIDSet(format)
        #expect(set.count == 0)
        #expect(set.subtracting(UnsafeRawBufferPointer(start: nil, count: 0)) == [])
        insert(.zero(format), set)
        insert(.zero(format), set)
        #expect(set.count == 1)
        let one = [UInt8](repeating: 1, count: format.byteCount)
        #expect(one.withUnsafeBytes { set.subtracting($0) } == [.zero(format)])
        insert(id(one), set)
        #expect(one.withUnsafeBytes { set.subtracting($0) } == [.zero(format)])
        let zeros = [UInt8](repeating: 0, count: format.byteCount)
        #expect(zeros.withUnsafeBytes { set.subtracting($0) } == [id(one)])
    }

    @Test func idsThatDifferInOneBit() {
        let set = ObjectIDSet(.sha1)
        var all: [ObjectID] = []
        for bit in 0 ..< 160 {
            var bytes = [UInt8](repeating: 0, count: 20)
            bytes[bit / 8] = 1 << UInt8(bit % 8)
            all.append(id(bytes))
            insert(id(bytes), set)
        }
        #expect(set.subtracting(UnsafeRawBufferPointer(start: nil, count: 0)) == all.sorted())
    }

    /// At most one and a half ids' bytes for each, once there are a few in each of its tables.
    @Test func memory() {
        let set = ObjectIDSet(.sha1)
        for (number, oid) in ids(100_000, .sha1).enumerated() {
            insert(oid, set)
            if number > 20_000, number % 500 == 0 {
                #expect(set.byteCount <= set.count * 31)
            }
        }
    }

    /// Ids that agree in most words must not meet in one place, whatever the words.
    @Test(.timeLimit(.minutes(5)), arguments: [0, 4, 8, 12, 16]) func chosenIDs(place: Int) {
        let set = ObjectIDSet(.sha1)
        let start = ContinuousClock.now
        for number in 0 ..< 50_000 as Range<UInt32> {
            var bytes = [UInt8](repeating: 3, count: 20)
            bytes.replaceSubrange(place ..< place + 4, with: PackBuilder.bigEndian(number))
            insert(id(bytes), set)
        }
        #expect(set.count == 50_000)
        #expect(ContinuousClock.now - start < .seconds(10))
    }

    @Test func threadsAddAtOnce() throws {
        let set = ObjectIDSet(.sha1)
        let all = ids(40_000, .sha1)
        // Each takes half, so that each id comes from two of them.
        try Workers(4) { worker in
            for index in 0 ..< 20_000 { insert(all[(index + worker * 10_000) % 40_000], set) }
        }.join()
        #expect(set.count == 40_000)
        let none = set.subtracting(UnsafeRawBufferPointer(start: nil, count: 0))
        let isAll = none == all.sorted()
        #expect(isAll)
    }
}
