import GitCore
import Testing

@testable import GitStore

/// Deltas, one by one.
@Suite struct DeltaTests {
    private static let base = Array("0123456789".utf8)

    /// What a delta makes of ``base``, or why it makes nothing.
    private func apply(_ bytes: [UInt8], to base: [UInt8] = DeltaTests.base) throws -> [UInt8] {
        try bytes.withUnsafeBytes { bytes in
            let delta = try Delta(parsing: bytes)
            try #require(delta.resultSize <= 1 << 24)
            var result = [UInt8](repeating: 0xee, count: Int(delta.resultSize))
            try base.withUnsafeBytes { base in
                try result.withUnsafeMutableBytes { try delta.apply(to: base, into: $0) }
            }
            return result
        }
    }

    struct Sample: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let delta: [UInt8]
        let result: String
        init(_ name: String, _ delta: DeltaBuilder, _ result: String) {
            testDescription = name
            self.delta = delta.bytes
            self.result = result
        }
    }

    static let right = [
        Sample("copy all", DeltaBuilder(base: 10, result: 10).copying(0, 10), "0123456789"),
        Sample("copy the last byte", DeltaBuilder(base: 10, result: 1).copying(9, 1), "9"),
        Sample(
            "copy out of order", DeltaBuilder(base: 10, result: 4).copying(8, 2).copying(0, 2),
            "8901"),
        Sample(
            "copy overlapping", DeltaBuilder(base: 10, result: 6).copying(2, 3).copying(3, 3),
            "234345"),
        Sample("insert", DeltaBuilder(base: 10, result: 2).inserting([0x61, 0x62]), "ab"),
        Sample("insert one", DeltaBuilder(base: 10, result: 1).inserting([0x61]), "a"),
        Sample(
            "insert 127",
            DeltaBuilder(base: 10, result: 127).inserting([UInt8](repeating: 0x61, count: 127)),
            String(repeating: "a", count: 127)),
        Sample(
            "both", DeltaBuilder(base: 10, result: 5).copying(1, 2).inserting([0x61]).copying(5, 2),
            "12a56"),
        Sample(
            "zero offset bytes spelled out",
            DeltaBuilder(base: 10, result: 1).adding([0xff, 3, 0, 0, 0, 1, 0, 0]), "3"),
        Sample(
            "sizes in more bytes than needed",
            DeltaBuilder(base: 10, result: 10).replacingSizes([0x8a, 0x80, 0], [0x8a, 0]).copying(
                0, 10),
            "0123456789"),
    ]

    @Test(arguments: right) func makes(_ sample: Sample) throws {
        #expect(try apply(sample.delta) == Array(sample.result.utf8))
    }

    @Test func copySizeZeroMeans64KiB() throws {
        let base = PackRandom.bytes(70_000)
        let delta = DeltaBuilder(base: 70_000, result: 0x10000).adding([0x81, 5]).bytes
        #expect(try apply(delta, to: base) == Array(base[5 ..< 5 + 0x10000]))
    }

    @Test func copyUsesAllBytesOfOffsetAndSize() throws {
        let base = PackRandom.bytes(0x0102_0304 + 0x010203)
        let delta = DeltaBuilder(base: UInt64(base.count), result: 0x010203)
            .copying(0x0102_0304, 0x010203).bytes
        #expect(try apply(delta, to: base) == Array(base[0x0102_0304...]))
    }

    @Test func emptyBase() throws {
        #expect(try apply(DeltaBuilder(base: 0, result: 1).inserting([7]).bytes, to: []) == [7])
    }

    static let wrong = [
        Sample(
            "reserved instruction", DeltaBuilder(base: 10, result: 1).adding([0, 0, 0]), "reserved"),
        Sample("copy past the end", DeltaBuilder(base: 10, result: 2).copying(9, 2), "outside"),
        Sample("copy from the end", DeltaBuilder(base: 10, result: 1).copying(10, 1), "outside"),
        Sample("copy far away", DeltaBuilder(base: 10, result: 1).copying(.max, 1), "outside"),
        Sample(
            "copy more than the base", DeltaBuilder(base: 10, result: 11).copying(0, 11), "outside"),
        Sample(
            "copy the most there is", DeltaBuilder(base: 10, result: 1).copying(.max, 0xff_ffff),
            "outside"),
        Sample("makes more by a copy", DeltaBuilder(base: 10, result: 3).copying(0, 4), "more"),
        Sample(
            "makes more by an insert", DeltaBuilder(base: 10, result: 1).inserting([1, 2]), "more"),
        Sample("makes less", DeltaBuilder(base: 10, result: 5).copying(0, 4), "less"),
        Sample("no instructions", DeltaBuilder(base: 1 << 40, result: 5), "base"),
        Sample("no instructions, few bytes", DeltaBuilder(base: 10, result: 5), "short"),
        Sample("empty result of nothing", DeltaBuilder(base: 10, result: 0), "short"),
        Sample(
            "result empty, something made", DeltaBuilder(base: 10, result: 0).copying(0, 1), "more"),
        Sample("base of another size", DeltaBuilder(base: 9, result: 9).copying(0, 9), "base"),
        Sample("base size beyond all", DeltaBuilder(base: .max, result: 1).copying(0, 1), "base"),
        Sample(
            "copy without its arguments",
            DeltaBuilder(base: 10, result: 1).adding([0xff, 0, 0, 0, 0, 1]), "truncated"),
        Sample(
            "copy without its last argument", DeltaBuilder(base: 10, result: 1).adding([0x91, 0]),
            "truncated"),
        Sample(
            "insert without its bytes", DeltaBuilder(base: 10, result: 5).adding([5, 1, 2, 3, 4]),
            "truncated"),
        Sample(
            "insert without any byte", DeltaBuilder(base: 10, result: 5).copying(0, 4).adding([1]),
            "truncated"),
    ]

    @Test(arguments: wrong) func refuses(_ sample: Sample) throws {
        let error = #expect(throws: ParseError.self) { try apply(sample.delta) }
        #expect(try #require(error).reason.contains(sample.result))
    }

    @Test(arguments: [
        [], [10], [0x80], [10, 0x80], [UInt8](repeating: 0x80, count: 30),
        [UInt8](repeating: 0xff, count: 9) + [0x7f, 1, 1, 1],
        [UInt8](repeating: 0xff, count: 10) + [0, 1, 1, 1],
        [10] + [UInt8](repeating: 0xff, count: 9) + [2, 1, 1],
    ])
    func refusesSizes(_ bytes: [UInt8]) {
        #expect(throws: ParseError.self) { try apply(bytes) }
    }

    @Test func largestSizeIsRead() throws {
        let bytes = [UInt8](repeating: 0xff, count: 9) + [1, 1, 1, 1]
        let size = try bytes.withUnsafeBytes { try Delta(parsing: $0).baseSize }
        #expect(size == .max)
    }

    /// Cut anywhere, a delta does not do.
    @Test func refusesEveryTruncation() throws {
        let delta = DeltaBuilder(base: 10, result: 9).copying(1, 3).inserting([1, 2, 3])
            .copying(7, 3).bytes
        #expect(try apply(delta).count == 9)
        for end in delta.indices {
            #expect(throws: ParseError.self) { try apply(Array(delta[..<end])) }
        }
    }

    /// Random bytes make an error or as many bytes as they declare, and never anything else.
    @Test func randomInstructions() {
        var random = PackRandom(state: 42)
        var made = 0
        for _ in 0 ..< 20_000 {
            var delta = DeltaBuilder(base: 10, result: UInt64.random(in: 0 ... 12, using: &random))
            for _ in 0 ..< Int.random(in: 0 ... 4, using: &random) {
                delta =
                    Bool.random(using: &random)
                    ? delta.adding([UInt8.random(in: 0 ... .max, using: &random)])
                    : delta.copying(
                        UInt32.random(in: 0 ... 10, using: &random),
                        UInt32.random(in: 0 ... 10, using: &random))
            }
            if (try? apply(delta.bytes)) != nil { made += 1 }
        }
        #expect(made > 0)
    }
}
