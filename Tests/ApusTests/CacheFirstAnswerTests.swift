import Synchronization
import TestSupport
import Testing

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

    /// A server of version 2 that sends one pack after the other, and the last one again.
    private func upstream(_ packs: [[UInt8]]) throws -> (CachedUpstream, asked: Counter) {
        let (tip, counter) = (tip, Counter())
        let pair = try CachedUpstream { call in
            let size = call.values("content-length").first.flatMap { Int($0) } ?? 0
            let body = printable(call.body(size))
            let answer: [UInt8]
            if body.isEmpty {
                answer =
                    RawClient.line("# service=git-upload-pack") + RawClient.flush
                    + ["version 2", "ls-refs", "fetch", "object-format=sha1"].flatMap(
                        RawClient.line)
                    + RawClient.flush
            } else if body.contains("command=ls-refs") {
                answer =
                    RawClient.line("\(tip) HEAD symref-target:refs/heads/main")
                    + RawClient.line("\(tip) refs/heads/main") + RawClient.flush
            } else {
                let pack = packs[min(counter.next(), packs.count - 1)]
                answer =
                    RawClient.line("packfile") + RawClient.line([1] + pack) + RawClient.flush
            }
            let kind = body.isEmpty ? "advertisement" : "result"
            let head = [
                "HTTP/1.1 200 OK", "Content-Type: application/x-git-upload-pack-\(kind)",
                "Content-Length: \(answer.count)", "Connection: close", "", "",
            ]
            call.write(Array(head.joined(separator: "\r\n").utf8) + answer)
        }
        return (pair, counter)
    }

    private func fetch(_ pair: CachedUpstream) throws -> RawClient.Answer {
        try RawClient(url: "\(pair.cache.http)/up/x.git").post(
            "upload-pack", RawClient.v2("fetch", ["want \(tip)", "no-progress", "done"]))
    }

    @Test func aPackThatIsNotAllOfItIsPassedOnAndNotKept() throws {
        let (pair, asked) = try upstream([bare, whole])
        let first = try fetch(pair)
        #expect(first.status == 200 && first.parts.pack == bare, "\(first)")
        // Its end is there before it was looked at; who comes until then gets the same.
        var answer = first
        #expect(
            try eventually {
                answer = try fetch(pair)
                return answer.parts.pack != bare
            })
        #expect(asked.count == 2)
        let copy = folder("copy")
        try Git.run(["init", "-q", "--bare", copy])
        try Git.run(["index-pack", "--stdin"], in: copy, input: answer.parts.pack)
        try Git.run(["fsck", "--strict", tip], in: copy)
        try pair.cache.end(by: 15)
        #expect(try pair.cache.requests().contains { $0.contains("is of no use") })
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
