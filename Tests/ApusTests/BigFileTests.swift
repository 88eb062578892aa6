import TestSupport
import Testing

/// A file far larger than what may be held in memory. `make test` runs it; plain `swift test` does
/// not, unless APUS_SLOW_TESTS is set.
@Suite(
    .enabled(if: TestEnvironment.variable("APUS_SLOW_TESTS") != nil), .serialized,
    .timeLimit(.minutes(10)))
struct BigFileTests {
    /// The most that a clone of a 300 MB file may hold, in KiB.
    static let mostMemory = 256 * 1024

    @Test func clonesABigFileInLittleMemory() throws {
        let fixture = try Fixture.named("big-blob")
        let scratch = try TemporaryDirectory()
        let result = try run(
            "python3",
            [
                "\(TestEnvironment.packageRoot)/Scripts/measure.py", scratch("figures"), Apus.path,
                "clone", "-q", fixture.url(), "copy",
            ], directory: scratch.path, timeout: .seconds(300))
        try result.required()
        let figures = String(decoding: readFile(scratch("figures")) ?? [], as: UTF8.self)
        let memory = figures.split(separator: " ").last.flatMap { Int($0.dropLast()) }
        let held = try #require(memory, "\(figures)")
        if !Apus.isGit { #expect(held < Self.mostMemory) }

        let copy = scratch("copy")
        let status = try Git.run(["status", "--porcelain=v2"], in: copy)
        #expect(status.stdout == [])
        #expect(try Git.run(["diff-files", "--raw"], in: copy).stdout == [])
        let hash = try Git.line(["hash-object", "big"], in: copy)
        #expect(hash == (try Git.line(["rev-parse", "HEAD:big"], in: copy)))
        #expect(
            try Git.line(["cat-file", "--batch-all-objects", "--batch-check"], in: copy)
                == Git.line(["cat-file", "--batch-all-objects", "--batch-check"], in: fixture.path))
    }
}
