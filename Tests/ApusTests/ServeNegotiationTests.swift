import TestSupport
import Testing

/// Negotiations of tens of thousands of haves, which take no more than their share of time.
@Suite(.timeLimit(.minutes(10))) struct ServeNegotiationTests {
    /// A request of version 0 that ends with a round of haves: it is answered, and there is no pack.
    private func round(_ want: String, _ haves: [String]) -> [UInt8] {
        var body = RawClient.line("want \(want) multi_ack_detailed no-progress") + RawClient.flush
        for have in haves { body += RawClient.line("have \(have)") }
        return body + RawClient.flush
    }

    private func expectSameAnswers(
        _ pair: ServePair, _ body: [UInt8], location: SourceLocation = #_sourceLocation
    ) throws -> String {
        let start = ContinuousClock.now
        let apus = try RawClient(pair).post("upload-pack", body, version: 0)
        // A suite's limit counts the time that tests wait for one another, too.
        #expect(ContinuousClock.now - start < .seconds(60), sourceLocation: location)
        let git = try RawClient(pair, .git).post("upload-pack", body, version: 0)
        #expect(apus.status == 200, sourceLocation: location)
        #expect(apus.body == git.body, "\(apus) -- git: \(git)", sourceLocation: location)
        return apus.text
    }

    private static func unknown(_ number: Int) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
            + String(repeating: "fedcba98", count: 4)
    }

    /// Each is answered that it is enough: the answer is as long as the request.
    @Test func unknownHavesBehindACommonOne() throws {
        let pair = try ServePair("history")
        let client = try RawClient(pair)
        let common = try Git.line(["rev-parse", "main~5"], in: pair.repository(.apus))
        let haves = [common] + (1 ... 100_000).map(Self.unknown)
        let answer = try expectSameAnswers(pair, round(try client.head(), haves))
        #expect(answer.contains("ACK \(Self.unknown(100_000)) ready"))
    }

    /// What is wanted leads to nothing that the client has, which is found out by a walk through it all.
    @Test func newerCommitsAmongUnknownHaves() throws {
        let count = 5_000
        let pair = try ServePair("tiny") { path in
            var stream = ""
            for (start, branch) in [(1_500_000_000, "old"), (1_600_000_000, "new")] {
                for number in 1 ... count {
                    stream += "commit refs/heads/\(branch)\n"
                    stream += "committer A <a@b> \(start + number) +0000\ndata 0\n\n"
                }
            }
            try Git.run(["fast-import", "--quiet"], in: path, input: Array(stream.utf8))
        }
        let repository = pair.repository(.apus)
        let known = try Git.run(["rev-list", "new"], in: repository).out.split(separator: "\n")
        #expect(known.count == count)
        let haves = known.enumerated().flatMap { [String($1), Self.unknown($0)] }
        let want = try Git.line(["rev-parse", "old"], in: repository)
        let answer = try expectSameAnswers(pair, round(want, haves))
        #expect(!answer.contains("ready"))
    }

    /// Version 2: what is said to haves and `done`, and how many objects the pack then has.
    @Test(arguments: [
        "wait-for-done", "wait-for-done done", "wait-for-done HAVE", "wait-for-done UNKNOWN",
        "wait-for-done HAVE done", "WANT wait-for-done", "WANT wait-for-done done",
        "WANT wait-for-done HAVE", "WANT wait-for-done UNKNOWN", "WANT wait-for-done HAVE done",
        "WANT wait-for-done UNKNOWN done", "wait-for-done DEPTH", "WANT wait-for-done DEPTH",
        "WANT", "WANT done", "WANT HAVE", "WANT UNKNOWN", "WANT HAVE done", "HAVE", "HAVE done",
        "done",
    ])
    func answersOfVersionTwo(_ words: String) throws {
        let pair = try ServePair("history")
        let have = try Git.line(["rev-parse", "main~5"], in: pair.repository(.apus))
        let names = [
            "WANT": "want \(try RawClient(pair).head())", "HAVE": "have \(have)",
            "UNKNOWN": "have \(Self.unknown(1))", "DEPTH": "deepen 2",
        ]
        let arguments = words.split(separator: " ").map { names[String($0)] ?? String($0) }
        let body = RawClient.v2("fetch", arguments + ["no-progress"])
        let (apus, git) = (
            try RawClient(pair).post("upload-pack", body).parts,
            try RawClient(pair, .git).post("upload-pack", body).parts
        )
        #expect(apus.lines == git.lines)
        #expect(apus.pack.prefix(12) == git.pack.prefix(12))
    }
}
