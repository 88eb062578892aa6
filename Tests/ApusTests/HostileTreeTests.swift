import TestSupport
import Testing

/// Trees that try to write where a checkout must not: into .git in any spelling, above the work
/// tree, or through a symbolic link. What is not written cannot be run.
@Suite(.timeLimit(.minutes(10))) struct HostileTreeTests {
    /// Variants that must be refused, each as Tests/Fixtures/evil.sh makes it.
    static let refused = [
        "dot-git", "upper-git", "mixed-git", "ntfs-short", "ntfs-dot", "ntfs-space", "ntfs-stream",
        "below", "parent", "self", "unnamed", "slash", "up-slash", "absolute", "backslash",
        "git-link", "modules-link",
    ]
    /// Variants that stock git on Linux checks out in part or as they stand. Here those that spell
    /// .git for HFS+ are refused too; the rest may go either way, but out of the work tree nothing.
    static let spellings = ["hfs-joiner", "hfs-mark"]
    static let tricks = ["link-then-folder", "link-out", "link-terminal", "module-dash"]

    @Test(arguments: refused + (Apus.isGit ? [] : spellings))
    func refusesToCheckOut(variant: String) throws {
        let (scratch, result) = try attack(variant)
        #expect(result.exit == .code(128), "\(result.err)")
        if !Apus.isGit {
            #expect(result.errorLines.count { $0.hasPrefix("fatal: ") } == 1, "\(result.err)")
            expectNoControlCharacters(result)
        }
        try expectUnharmed(scratch)
    }

    @Test(arguments: tricks)
    func writesNothingOutsideTheWorkTree(variant: String) throws {
        let (scratch, result) = try attack(variant)
        #expect([.code(0), .code(128)].contains(result.exit), "\(result.err)")
        try expectUnharmed(scratch)
    }

    /// A clone in `below/copy` of a new folder, whose home is that folder.
    private func attack(_ variant: String) throws -> (TemporaryDirectory, RunResult) {
        let scratch = try TemporaryDirectory()
        let url = try Fixture.named("evil-\(variant)").url()
        let result = try Apus.run(
            ["clone", url, "below/copy"], in: scratch.path, environment: ["HOME": scratch.path])
        // What the hook would do, should it be there.
        if exists(scratch("below/copy")) {
            _ = try Git.attempt(
                ["checkout", "-q", "HEAD~1"], in: scratch("below/copy"),
                environment: ["HOME": scratch.path])
        }
        return (scratch, result)
    }

    private func expectUnharmed(_ scratch: TemporaryDirectory) throws {
        #expect(!exists(scratch("owned")))
        #expect(!exists(scratch("below/owned")))
        #expect(!exists("/tmp/apus-owned"))
        #expect(!exists(scratch("below/copy/.git/hooks/post-checkout")))
        #expect(try TreeListing(of: scratch.path, ignoring: ["below"]).entries.isEmpty)
        guard exists(scratch("below")) else { return }
        #expect(try TreeListing(of: scratch("below"), ignoring: ["copy"]).entries.isEmpty)
    }
}
