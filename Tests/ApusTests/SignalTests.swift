import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// ^C and SIGTERM while a clone is under way: the folder is as it was, and the program ends by the
/// signal, so that a shell's loop ends too.
@Suite(.timeLimit(.minutes(10))) struct SignalTests {
    @Test(arguments: [SIGINT, SIGTERM, SIGHUP], [false, true])
    func leavesNothingAndEndsByTheSignal(signal: Int32, directoryIsThere: Bool) throws {
        let scratch = try TemporaryDirectory()
        if directoryIsThere { try run("/bin/mkdir", [scratch("copy")]).required() }
        let url = try Fixture.named("heavy").url("slow")
        let clone = try ChildProcess(
            Apus.path, ["clone", "--progress", url, "copy"], directory: scratch.path)
        try waitUntil("the clone has begun") { exists(scratch("copy/.git/objects")) }
        usleep(300_000)

        clone.send(signal, group: true)
        let result = try clone.wait(timeout: .seconds(20))
        #expect(result.exit == .signal(signal), "\(result.err)")
        let left = try TreeListing(of: scratch.path, ignoring: []).entries.keys
        #expect(Array(left) == (directoryIsThere ? ["copy"] : []))
    }

    /// A second ^C does not stop the cleaning up.
    @Test func cleansUpThoughItIsSentTwice() throws {
        let scratch = try TemporaryDirectory()
        let url = try Fixture.named("heavy").url("slow")
        let clone = try ChildProcess(Apus.path, ["clone", url, "copy"], directory: scratch.path)
        try waitUntil("the clone has begun") { exists(scratch("copy/.git/objects")) }
        clone.send(SIGINT, group: true)
        clone.send(SIGTERM, group: true)
        let result = try clone.wait(timeout: .seconds(20))
        #expect(result.exit == .signal(SIGINT) || result.exit == .signal(SIGTERM))
        #expect(try TreeListing(of: scratch.path).entries.isEmpty)
    }

    /// While the server has not answered at all.
    @Test func endsWhileItWaitsForTheServer() throws {
        let scratch = try TemporaryDirectory()
        let url = try Fixture.named("tiny").url("odd/silent")
        let clone = try ChildProcess(Apus.path, ["clone", url, "copy"], directory: scratch.path)
        try waitUntil("the clone has begun") { try clone.errorsSoFar().contains("Cloning") }
        usleep(100_000)
        clone.send(SIGTERM, group: true)
        #expect(try clone.wait(timeout: .seconds(20)).exit == .signal(SIGTERM))
        #expect(try TreeListing(of: scratch.path).entries.isEmpty)
    }

    private func waitUntil(_ what: String, _ isSo: () throws -> Bool) throws {
        for _ in 0 ..< 2000 {
            if try isSo() { return }
            usleep(10_000)
        }
        throw TestFailure("20 seconds have passed, and not yet: \(what)")
    }
}
