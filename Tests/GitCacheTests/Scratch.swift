import GitCore
import GitStore
import Synchronization
import TestSupport
import Testing

@testable import GitCache

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A store in a folder of its own, and what tests do with one.
struct Scratch {
    let folder: TemporaryDirectory
    var path: ByteString { ByteString(folder("cache")) }

    init() throws { folder = try TemporaryDirectory() }

    func open(
        budget: UInt64 = 1 << 30, _ change: (inout AnswerStore.Options) -> Void = { _ in }
    ) throws -> AnswerStore {
        try openStore(path, budget: budget, change)
    }

    /// The names in `answers/`.
    func files() throws -> [String] {
        try FileSystem.list(path / "answers").map(\.description).sorted()
    }

    func file(_ name: String) -> String { folder("cache/answers/\(name)") }
}

func openStore(
    _ path: ByteString, budget: UInt64 = 1 << 30,
    _ change: (inout AnswerStore.Options) -> Void = { _ in }
) throws -> AnswerStore {
    var options = AnswerStore.Options(budget: budget)
    options.largest = budget
    change(&options)
    return try AnswerStore(path, options)
}

func key(_ number: Int, _ repository: ByteString = "host/a.git") throws -> AnswerKey {
    let digest = (0 ..< 32).map { UInt8(truncatingIfNeeded: $0 == 0 ? number : number >> 8) }
    return try #require(AnswerKey(digest: ByteString(digest), repository: repository))
}

/// Bytes of which no part looks like another of the same answer, or of another.
func content(_ seed: Int, _ count: Int) -> [UInt8] {
    var state = UInt64(truncatingIfNeeded: seed) &* 0x9e37_79b9_7f4a_7c15 | 1
    return (0 ..< count).map { _ in
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return UInt8(truncatingIfNeeded: state >> 32)
    }
}

extension AnswerStore {
    func writer(_ key: AnswerKey) throws -> AnswerWriter {
        guard case .missing(let writer) = answer(for: key) else {
            throw TestFailure("somebody has it already")
        }
        return writer
    }

    func reader(_ key: AnswerKey) throws -> AnswerReader {
        guard case .growing(let reader) = answer(for: key) else {
            throw TestFailure("nobody writes it")
        }
        return reader
    }

    func whole(_ key: AnswerKey) throws -> WholeAnswer {
        guard case .whole(let whole) = answer(for: key) else {
            throw TestFailure("it is not there whole")
        }
        return whole
    }

    /// Whether it is there whole. Counts as a use.
    func has(_ number: Int) throws -> Bool {
        if case .whole = answer(for: try key(number)) { true } else { false }
    }

    /// Writes a whole answer.
    @discardableResult
    func add(_ key: AnswerKey, _ bytes: [UInt8]) throws -> Bool {
        let writer = try writer(key)
        writer.append(bytes)
        writer.finish()
        return writer.isKept
    }
}

extension WholeAnswer {
    func bytes() throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(size) + 1)
        let count = bytes.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, 0) }
        try #require(count >= 0)
        return Array(bytes[..<count])
    }
}

extension AnswerReader {
    /// Everything to the end, in pieces of so many bytes at most.
    func rest(_ piece: Int = 10_007) throws -> [UInt8] {
        var all: [UInt8] = []
        while true {
            let bytes = try next(upTo: piece)
            if bytes.isEmpty { return all }
            all += bytes
        }
    }
}

/// Runs on a thread of its own; `value` waits for what came of it.
final class Running<Value: Sendable>: Sendable {
    private let result = Monitor<Result<Value, any Error>?>(nil)

    init(_ body: @escaping @Sendable () throws -> Value) throws {
        try SystemThread { [result] in
            let value = Result { try body() }
            result.change { $0 = value }
        }.detach()
    }

    var isDone: Bool { result.wait(milliseconds: 0) { $0 != nil } }

    func value() throws -> Value { try result.wait { $0 }.get() }
}

/// The code of the error that it throws; nil if it throws none.
func code(_ body: () throws -> Void) -> CacheError.Code? {
    do { try body() } catch { return (error as? CacheError)?.code }
    return nil
}

/// Waits, for some seconds, until it holds.
func eventually(_ condition: () -> Bool) -> Bool {
    for _ in 0 ..< 2_000 {
        if condition() { return true }
        usleep(5_000)
    }
    return condition()
}
