import GitCore
import Testing

@Suite struct RefNameTests {
    @Test(arguments: ["HEAD", "refs/heads/main", "refs/tags/v1.0", "refs/heads/a/b@c", "ORIG_HEAD"])
    func acceptsWhatGitAccepts(_ name: String) {
        #expect(RefName(ByteString(name))?.bytes == ByteString(name))
    }

    @Test(arguments: [
        "", "@", "refs/heads/", "refs//x", "refs/heads/.x", "refs/heads/x.", "refs/heads/x.lock",
        "refs/heads/x.lock/y", "refs/heads/a..b", "refs/heads/a b", "refs/heads/a~b", "refs/x@{y",
        "refs/heads/a\u{1}", "/refs/x", "../HEAD", "heads/main", "head", "refs/heads/a\\b",
    ])
    func refusesWhatGitRefuses(_ name: String) {
        #expect(RefName(ByteString(name)) == nil)
    }

    @Test func refusesOverlongNames() {
        #expect(RefName(ByteString("refs/heads/" + String(repeating: "a", count: 4_096))) == nil)
    }
}
