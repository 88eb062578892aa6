import CSHA1
import Foundation
import Synchronization
import Testing

@testable import GitCore

/// Objects of all sizes, in random order and number, with ends and errors at random times.
@Suite struct LaneHasherStressTests {
    /// Megabytes to hash on each kernel: APUS_TEST_HASHING_MEGABYTES in the environment for more.
    private static let megabytes =
        ProcessInfo.processInfo.environment["APUS_TEST_HASHING_MEGABYTES"].flatMap { Int($0) } ?? 30

    private static let parallelKernels = hashingKernels.filter { csha1_lane_count($0) > 0 }

    /// What contents are pieces of, with a published attack at its beginning.
    private static let bytes: [UInt8] = {
        var generator = SplitMix()
        return HashingCollisionTests.attacks[0] + randomBytes(largest, &generator)
    }()
    private static let largest = 5_000_000

    @Test func everyLengthIsNamedAsAnotherKernelNamesIt() throws {
        let lengths = Array(0 ... 1_200)
        let expected = lengths.map { length in
            let header = ObjectKind.tree.header(size: UInt64(length))
            return sha1([header[...], Self.bytes[..<length]], kernel: UInt8(CSHA1_PORTABLE)).digest
        }
        for kernel in Self.parallelKernels {
            var oids = [[UInt8]](repeating: [], count: lengths.count)
            let hasher = LaneHasher(.sha1, kernel: kernel)
            try Self.bytes.withUnsafeBytes { bytes in
                for length in lengths.shuffled() {
                    let content = UnsafeRawBufferPointer(rebasing: bytes[..<length])
                    try hasher.add(.tree, content, number: length) { oids[$0] = $1.rawBytes }
                }
                try hasher.finish { oids[$0] = $1.rawBytes }
            }
            #expect(oids == expected, "kernel \(kernel)")
        }
    }

    @Test func anyMixtureIsNamedAsOneAtATime() {
        for kernel in Self.parallelKernels {
            let seed = UInt64.random(in: 0 ... .max)
            var run = Run(kernel: kernel, seed: seed)
            let fault = run.go(megabytes: Self.megabytes)
            #expect(fault == nil, "kernel \(kernel), seed \(seed)")
        }
    }

    @Test func eachOfSeveralThreadsHasItsOwn() {
        let faults = Mutex<[String]>([])
        DispatchQueue.concurrentPerform(iterations: 6) { thread in
            let kernel = Self.parallelKernels[thread % Self.parallelKernels.count]
            let seed = UInt64.random(in: 0 ... .max)
            var run = Run(kernel: kernel, seed: seed)
            if let fault = run.go(megabytes: 4) {
                faults.withLock { $0.append("kernel \(kernel), seed \(seed): \(fault)") }
            }
        }
        #expect(faults.withLock { $0 } == [])
    }

    /// A hasher, what it was given, and what it answered.
    private struct Run {
        private let hasher: LaneHasher
        private var generator: SplitMix
        private var expected: [ObjectID] = []
        private var oids: [ObjectID?] = []
        private var guilty: [ObjectID] = []
        private var caught: [ObjectID] = []
        private var bytesLeft = 0

        init(kernel: UInt8, seed: UInt64) {
            hasher = LaneHasher(.sha1, kernel: kernel)
            generator = SplitMix(state: seed)
        }

        /// Hashes so much, with an end now and then; says what was wrong.
        mutating func go(megabytes: Int) -> String? {
            LaneHasherStressTests.bytes.withUnsafeBytes { bytes in
                bytesLeft = megabytes * 1_000_000
                while bytesLeft > 0 {
                    for _ in 0 ..< objectCount() where bytesLeft > 0 { add(bytes) }
                    finish()
                    guard oids == expected else { return "wrong ids" }
                    guard Set(caught) == Set(guilty), caught.count == guilty.count else {
                        return "\(guilty.count) attacks, \(caught.count) noticed"
                    }
                }
                return nil
            }
        }

        /// Of objects before the next end: often few, sometimes thousands.
        private mutating func objectCount() -> Int {
            Int(exp(Double.random(in: 0 ..< 8, using: &generator)))
        }

        /// Of a content: often small, sometimes megabytes.
        private mutating func size() -> Int {
            let order = Double.random(in: 0 ... 1, using: &generator)
            return Int(exp(order * order * log(Double(LaneHasherStressTests.largest)))) - 1
        }

        /// An object that is a piece of `bytes`; one in twenty begins with the attack.
        private mutating func add(_ bytes: UnsafeRawBufferPointer) {
            let isAttack = Int.random(in: 0 ..< 20, using: &generator) == 0
            let size = isAttack ? size() + 320 : size()
            bytesLeft -= size
            let start = isAttack ? 0 : Int.random(in: 320 ... bytes.count - size, using: &generator)
            let object = bytes[start ..< start + size]
            // As the header goes what may be in one block with the content.
            let header = object.prefix(isAttack ? 40 : Int.random(in: 0 ... 64, using: &generator))
            let oid = Self.plain(object)
            expected.append(oid)
            if isAttack { guilty.append(oid) }
            oids.append(nil)
            let number = oids.count - 1
            collect { hasher, done throws(CollisionError) in
                try hasher.add(
                    header: UnsafeRawBufferPointer(rebasing: header),
                    UnsafeRawBufferPointer(rebasing: object[header.endIndex...]), number: number,
                    done: done)
            }
        }

        private mutating func finish() {
            while collect({ hasher, done throws(CollisionError) in try hasher.finish(done) }) {}
        }

        /// Does something with the hasher, and takes its answers; whether it threw.
        @discardableResult private mutating func collect(
            _ body: (LaneHasher, LaneHasher.Done) throws(CollisionError) -> Void
        ) -> Bool {
            var named: [(Int, ObjectID)] = []
            defer { for (number, oid) in named { oids[number] = oids[number] == nil ? oid : nil } }
            do throws(CollisionError) {
                try body(hasher) { named.append(($0, $1)) }
                return false
            } catch {
                caught.append(error.oid)
                return true
            }
        }

        private static func plain(_ object: Slice<UnsafeRawBufferPointer>) -> ObjectID {
            var hasher = PlainHasher(.sha1)
            hasher.update(UnsafeRawBufferPointer(rebasing: object))
            return hasher.finalize()
        }
    }
}
