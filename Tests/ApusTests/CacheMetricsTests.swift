import TestSupport
import Testing

/// What `/-/metrics` of a cache says of whether it helps.
@Suite(.timeLimit(.minutes(10))) struct CacheMetricsTests {
    @Test func tellsWhatWasSpared() throws {
        let folder = try TemporaryDirectory()
        let upstream = try Upstream(commits: 10)
        let cache = try ApusServer(cacheIn: folder("store"), of: CachePair.upstreams())
        let url = "\(cache.http)/git/git/\(upstream.name).git"
        for number in 0 ..< 3 { try Git.run(["clone", "-q", "--bare", url, folder("\(number)")]) }
        try upstream.commit(1)
        try Git.run(["clone", "-q", "--bare", url, folder("new")])

        let metrics = try metrics(cache)
        let count = { (phase: String) in
            metrics["apus_cache_phase_seconds_count{phase=\"\(phase)\"}"]
        }
        #expect(metrics["apus_cache_answers_total{result=\"hit\"}"] == 2)
        #expect(metrics["apus_cache_answers_total{result=\"made\"}"] == 2)
        #expect(metrics["apus_cache_saved_seconds_total"] ?? 0 > 0)
        // Each client's question; the first clone, which was passed on, and what is new.
        #expect(count("capabilities") == 4)
        #expect(count("refs") == 4)
        #expect(count("fetch") == 2)
        #expect(count("queue") == 1)
        #expect(count("generation") == 2)
        #expect(metrics["apus_cache_upstream_bytes_total"] ?? 0 > 1_000)
        #expect(metrics["apus_cache_generating"] == 0)
        #expect(metrics["apus_cache_kept_answers"] == 2)
        #expect(metrics["apus_cache_passed_total"] == 0)
        #expect(metrics["apus_requests_total{service=\"upload-pack\",status=\"200\"}"] == 12)
    }

    private func metrics(_ cache: ApusServer) throws -> [String: Double] {
        let answer = try exchange(
            port: cache.port, sending: Array("GET /-/metrics HTTP/1.0\r\nHost: x\r\n\r\n".utf8))
        var values: [String: Double] = [:]
        for line in String(decoding: answer, as: UTF8.self).body.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2 { values[String(words[0])] = Double(words[1]) }
        }
        return values
    }
}
