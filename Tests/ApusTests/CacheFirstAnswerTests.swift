import Synchronization
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The first answer of a mirror: its end comes before what it holds was looked at.
@Suite(.timeLimit(.minutes(10))) struct CacheFirstAnswerTests {
    private let folder: TemporaryDirectory
    private let tip: String
    /// All that the tip leads to; and the commit alone.
    private let whole: [UInt8]
    private let bare: [UInt8]

    init() throws {
        folder = try TemporaryDirectory()
        _ = try folder.write("work/file", Array("content\n".utf8))
        let work = folder("work")
        try Git.run(["init", "-q", "-b", "main"], in: work)
        try Git.run(["add", "-A"], in: work)
        try Git.run(["commit", "-q", "-m", "One"], in: work)
        tip = try Git.line(["rev-parse", "main"], in: work)
        let names = Array("\(tip)\n".utf8)
        for (name, options) in [("whole", ["--revs"]), ("bare", [])] {
            let line =
                "git pack-objects -q --stdout \(options.joined(separator: " ")) >\(name).pack"
            try run("sh", ["-c", line], input: names, directory: work).required()
        }
        whole = try #require(readFile("\(work)/whole.pack"))
        bare = try #require(readFile("\(work)/bare.pack"))
    }

    /// A server of version 2 whose fetches are answered by `fetched`, which is given the request.
    private func upstream(
        features: String = "shallow filter", stalls: Flag? = nil,
        _ fetched: @escaping @Sendable (String) -> [UInt8]
    ) throws -> CachedUpstream {
        let tip = tip
        return try CachedUpstream { call in
            let size = call.values("content-length").first.flatMap { Int($0) } ?? 0
            let body = printable(call.body(size))
            var answer: [UInt8] = []
            if body.isEmpty {
                let lines = ["version 2", "ls-refs", "fetch=\(features)", "object-format=sha1"]
                answer += RawClient.line("# service=git-upload-pack") + RawClient.flush
                answer += lines.flatMap(RawClient.line)
            } else if body.contains("command=ls-refs") {
                answer += RawClient.line("\(tip) HEAD symref-target:refs/heads/main")
                answer += RawClient.line("\(tip) refs/heads/main")
            } else if let stalls {
                answer +=
                    RawClient.line("packfile") + RawClient.line([1] + fetched(body).prefix(20))
                Self.send(answer, "result", to: call, more: 1)
                return stalls.wait()
            } else {
                answer += RawClient.line("packfile") + RawClient.line([1] + fetched(body))
            }
            Self.send(answer + RawClient.flush, body.isEmpty ? "advertisement" : "result", to: call)
        }
    }

    /// - Parameter more: bytes that are promised besides.
    private static func send(
        _ answer: [UInt8], _ kind: String, to call: FakeUpstream.Call, more: Int = 0
    ) {
        let head = [
            "HTTP/1.1 200 OK", "Content-Type: application/x-git-upload-pack-\(kind)",
            "Content-Length: \(answer.count + more)", "Connection: close", "", "",
        ]
        call.write(Array(head.joined(separator: "\r\n").utf8) + answer)
    }

    private func fetch(_ pair: CachedUpstream, _ more: String...) throws -> RawClient.Answer {
        try RawClient(url: "\(pair.cache.http)/up/x.git").post("upload-pack", request(more))
    }

    private func request(_ more: [String]) -> [UInt8] {
        RawClient.v2("fetch", ["want \(tip)", "no-progress"] + more + ["done"])
    }

    /// By curl, which writes what comes as it comes.
    private func post(
        _ pair: CachedUpstream, _ more: [String], to name: String
    ) throws -> ChildProcess {
        let request = try folder.write("request-\(name)", request(more))
        return try ChildProcess(
            "curl",
            [
                "-sSN", "-o", folder(name), "--data-binary", "@\(request)", "-H",
                "Git-Protocol: version=2", "-H",
                "Content-Type: application/x-git-upload-pack-request",
                "\(pair.cache.http)/up/x.git/git-upload-pack",
            ])
    }

    /// Whether a pack has all that the tip leads to.
    private func isWhole(_ pack: [UInt8], _ name: String) throws -> Bool {
        try Git.run(["init", "-q", "--bare", folder(name)])
        try Git.run(["index-pack", "--stdin"], in: folder(name), input: pack)
        return try Git.attempt(["fsck", "--strict", tip], in: folder(name)).succeeded
    }

    @Test func aPackThatIsNotAllOfItIsPassedOnAndNotKept() throws {
        let (bare, whole, asked) = (bare, whole, Counter())
        let pair = try upstream { _ in asked.next() == 0 ? bare : whole }
        let first = try fetch(pair)
        #expect(first.status == 200 && first.parts.pack == bare, "\(first)")
        // Who comes before it was looked at gets the same.
        var answer = first
        #expect(
            try eventually {
                answer = try fetch(pair)
                return answer.parts.pack != bare
            })
        #expect(asked.count == 2)
        #expect(try isWhole(answer.parts.pack, "copy"))
        try pair.cache.end(by: SIGTERM)
        #expect(try pair.cache.requests().contains { $0.contains("is of no use") })
    }

    /// Upstream sends nothing more, and nobody waits for it any more: nothing is held up by that.
    @Test func anAnswerThatComesToNothingHoldsNothingUp() throws {
        let (whole, stalls) = (whole, Flag())
        let pair = try upstream(stalls: stalls) { _ in whole }
        defer { stalls.set() }
        let client = try post(pair, [], to: "answer")
        #expect(eventually { (readFile(folder("answer")) ?? []).count > 0 })
        client.send(SIGKILL)
        _ = try client.wait()
        let metrics = { try pair.ask("GET /-/metrics").body.components("\n") }
        #expect(try eventually { try metrics().contains("apus_active_requests 1") })
        let start = ContinuousClock.now
        try pair.cache.end(by: SIGTERM)
        #expect(ContinuousClock.now - start < .seconds(9))
        #expect(try run("find", [pair.store, "-name", "tmp_*", "-o", "-name", "*.new"]).out == "")
    }

    /// It is what a build machine does first: not all is to be fetched before it has anything.
    @Test(arguments: ["deepen 1", "filter blob:none"], [true, false])
    func whoWantsAPartDoesNotWaitForAll(_ part: String, isOffered: Bool) throws {
        let (bare, whole, release, passed) = (bare, whole, Flag(), Counter())
        let pair = try upstream(features: isOffered ? "shallow filter" : "") { request in
            if request.contains(part) {
                _ = passed.next()
                return bare
            }
            release.wait()
            return whole
        }
        let asking = try post(pair, [part], to: "answer")
        // What upstream cannot do, it is not asked for, and the client waits.
        if isOffered { try asking.wait().required() } else { sleep(7) }
        #expect(passed.count == (isOffered ? 1 : 0))
        #expect(exists(folder("answer")) == isOffered)
        release.set()
        if !isOffered { try asking.wait().required() }
        let answer = RawClient.Answer(
            status: 200, head: "", body: try #require(readFile(folder("answer"))))
        #expect((answer.parts.pack == bare) == isOffered, "\(answer)")
        // Meanwhile all was fetched.
        #expect(try eventually { try fetch(pair, part).parts.pack != bare })
        try pair.cache.end(by: SIGTERM)
        let lines = try pair.cache.requests()
        #expect(lines.contains { $0.contains("\"cache\":\"passed\"") } == isOffered)
        #expect(lines.contains { $0.contains("\"cache\":\"made\"") })
    }

    /// Who wants all of it, but not in the same words, hears that it is worked on.
    @Test func whoWaitsForAnothersFetchHearsSo() throws {
        let (whole, release, asked) = (whole, Flag(), Counter())
        let pair = try upstream { _ in
            _ = asked.next()
            release.wait()
            return whole
        }
        let first = try post(pair, [], to: "first")
        #expect(eventually { asked.count == 1 })
        let second = try post(pair, ["ofs-delta"], to: "second")
        #expect(
            eventually { printable(readFile(folder("second")) ?? []).hasPrefix("000dpackfile") })
        #expect(!exists(folder("first")))
        release.set()
        try first.wait().required()
        try second.wait().required()
        #expect(asked.count == 1)
        for name in ["first", "second"] {
            let body = try #require(readFile(folder(name)))
            let answer = RawClient.Answer(status: 200, head: "", body: body)
            #expect(try isWhole(answer.parts.pack, "copy-\(name)"))
        }
    }
}

/// Counts calls.
final class Counter: Sendable {
    private let calls = Mutex(0)
    var count: Int { calls.withLock { $0 } }
    /// The number of this call, from 0 on.
    func next() -> Int {
        calls.withLock { calls in
            defer { calls += 1 }
            return calls
        }
    }
}

/// Something that is waited for, no longer than a minute.
final class Flag: Sendable {
    private let isSet = Mutex(false)
    func set() { isSet.withLock { $0 = true } }
    func wait() {
        for _ in 0 ..< 12_000 where !isSet.withLock({ $0 }) { usleep(5_000) }
    }
}
