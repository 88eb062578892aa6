import CSHA1
import Foundation
import GitCore
import Testing

/// The kernels this machine runs.
let hashingKernels: [UInt8] = (0 ..< 8).filter { csha1_kernel_runs($0) }

/// SHA-1 on one kernel, over the pieces in turn.
func sha1(
    _ pieces: some Sequence<ArraySlice<UInt8>>, kernel: UInt8, detects: Bool = true
) -> (digest: [UInt8], attacked: Bool) {
    var context = csha1_context()
    guard csha1_init_kernel(&context, detects, kernel) else { return ([], false) }
    for piece in pieces {
        piece.withUnsafeBytes { csha1_update(&context, $0.baseAddress, $0.count) }
    }
    var digest = [UInt8](repeating: 0, count: 20)
    let attacked = csha1_final(&context, &digest)
    return (digest, attacked)
}

func randomBytes(_ count: Int, _ generator: inout some RandomNumberGenerator) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count + 8)
    while bytes.count < count {
        withUnsafeBytes(of: generator.next() as UInt64) { bytes.append(contentsOf: $0) }
    }
    bytes.removeLast(bytes.count - count)
    return bytes
}

/// Random numbers (Steele, Lea and Flood's SplitMix) that a seed brings back.
///
/// The system's generator would do where no seed is to be brought back. But it is a structure without
/// stored properties: to a closure that captures one, Swift 6.3 gives no address of it, which is of no
/// use to anybody but what the thread sanitizer puts into generic functions; and that crashes.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    init(state: UInt64 = .random(in: 0 ... .max)) { self.state = state }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

@Suite struct HashingTests {
    /// The examples of FIPS 180 and of NIST's page on it.
    static let examples: [(message: [UInt8], sha1: String, sha256: String)] = [
        (
            [], "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        ),
        (
            Array("abc".utf8), "a9993e364706816aba3e25717850c26c9cd0d89d",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        ),
        (
            Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8),
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (
            Array(
                ("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
                    + "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu").utf8),
            "a49b2446a02c645bf419f995b67091253a04a259",
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
        ),
        (
            Array(repeating: 0x61, count: 1_000_000), "34aa973cd4c4daa4f61eeb2bdbad27316534016f",
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        ),
    ]

    @Test func givesThePublishedDigestsOnEveryKernel() {
        #expect(hashingKernels.contains(UInt8(CSHA1_PORTABLE)))
        for example in Self.examples {
            for kernel in hashingKernels {
                for detects in [true, false] {
                    let result = sha1([example.message[...]], kernel: kernel, detects: detects)
                    #expect(ObjectID(raw: result.digest.span, .sha1).hex == example.sha1)
                    #expect(!result.attacked)
                }
            }
        }
    }

    @Test func givesThePublishedDigestsInBothFormats() throws {
        for example in Self.examples {
            for (format, expected) in [
                (ObjectFormat.sha1, example.sha1), (.sha256, example.sha256),
            ] {
                var hasher = ObjectHasher(format)
                hasher.update(example.message)
                #expect(try hasher.finalize().hex == expected)
                var plain = PlainHasher(format)
                plain.update(example.message)
                #expect(plain.finalize().hex == expected)
            }
        }
    }

    @Test(arguments: ObjectFormat.allCases)
    func doesNotDependOnTheSizesOfThePieces(_ format: ObjectFormat) throws {
        var generator = SplitMix()
        let message = randomBytes(1000, &generator)
        var whole = ObjectHasher(format)
        whole.update(message)
        let expected = try whole.finalize()
        for size in [1, 2, 3, 7, 31, 55, 56, 63, 64, 65, 127, 128, 129, 500, 999] {
            var pieces = ObjectHasher(format)
            var plain = PlainHasher(format)
            message.withUnsafeBytes { bytes in
                for start in stride(from: 0, to: bytes.count, by: size) {
                    let piece = bytes[start ..< min(start + size, bytes.count)]
                    pieces.update(UnsafeRawBufferPointer(rebasing: piece))
                    plain.update(UnsafeRawBufferPointer(rebasing: piece))
                    pieces.update(UnsafeRawBufferPointer(start: nil, count: 0))
                }
            }
            #expect(try pieces.finalize() == expected)
            #expect(plain.finalize() == expected)
        }
    }

    @Test func everyKernelAgreesWithTheReferenceAtEveryLength() {
        var generator = SplitMix()
        for count in 0 ... 200 {
            let message = randomBytes(count, &generator)
            let expected = HashingReference.sha1(message)
            for kernel in hashingKernels {
                #expect(sha1([message[...]], kernel: kernel).digest == expected)
                #expect(sha1([message[...]], kernel: kernel, detects: false).digest == expected)
            }
        }
    }

    @Test func namesNoKernelBeyondTheLast() {
        #expect(csha1_kernel_name(200) == nil)
        #expect(!csha1_kernel_runs(200))
        var context = csha1_context()
        #expect(!csha1_init_kernel(&context, true, 200))
    }
}

@Suite struct HashingOracleTests {
    /// Files of random bytes, of sizes around those of blocks and beyond.
    private static func files(in folder: URL) throws -> [(path: String, content: [UInt8])] {
        var generator = SplitMix()
        let sizes = Array(0 ... 130) + [1000, 4095, 65536, 70001, 300_000]
        return try sizes.map { size in
            let file = folder.appendingPathComponent("\(size)")
            let content = randomBytes(size, &generator)
            try Data(content).write(to: file)
            return (file.path, content)
        }
    }

    private static func withFolder(_ body: (URL) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("hashing-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder)
    }

    /// The first word of each line that the command prints.
    private static func firstWords(_ command: [String], in folder: URL) throws -> [String] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.currentDirectoryURL = folder
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return String(decoding: data, as: UTF8.self).split(separator: "\n").map {
            String($0.prefix { $0 != " " })
        }
    }

    @Test(arguments: ObjectFormat.allCases)
    func namesBlobsAsGitDoes(_ format: ObjectFormat) throws {
        try Self.withFolder { folder in
            _ = try Self.firstWords(
                ["git", "init", "-q", "--object-format=\(format.name)", "."], in: folder)
            let files = try Self.files(in: folder)
            let ids = try Self.firstWords(["git", "hash-object"] + files.map(\.path), in: folder)
            try #require(ids.count == files.count)
            for (file, id) in zip(files, ids) {
                #expect(try ObjectHasher.hash(.blob, file.content, format).hex == id)
            }
        }
    }

    @Test func givesTheChecksumsOfSha1sum() throws {
        try Self.withFolder { folder in
            let files = try Self.files(in: folder)
            let sums = try Self.firstWords(["sha1sum"] + files.map(\.path), in: folder)
            try #require(sums.count == files.count)
            for (file, sum) in zip(files, sums) {
                var hasher = PlainHasher(.sha1)
                hasher.update(file.content)
                #expect(hasher.finalize().hex == sum)
            }
        }
    }

    @Test func headsEachKindOfObject() throws {
        let content = Array("tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n".utf8)
        for kind in ObjectKind.allCases {
            for format in ObjectFormat.allCases {
                var hasher = ObjectHasher(format)
                hasher.update(kind.header(size: UInt64(content.count)) + content)
                #expect(try hasher.finalize() == ObjectHasher.hash(kind, content, format))
            }
        }
        var long = ObjectHasher(.sha1)
        long.updateHeader(.commit, size: .max)
        var spelled = ObjectHasher(.sha1)
        spelled.update(ObjectKind.commit.header(size: .max))
        #expect(try long.finalize() == spelled.finalize())
    }
}
