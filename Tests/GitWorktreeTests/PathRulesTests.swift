import GitCore
import GitWorktree
import Testing

@Suite struct PathRulesTests {
    private func fault(
        _ name: ByteString, link: Bool = false, _ rules: PathRules = PathRules()
    ) -> PathFault? {
        rules.fault(inComponent: name.bytes.span, isLink: link)
    }

    @Test(
        arguments: [
            ".git", ".GIT", ".Git", "git~1", "GIT~1", ".git ", ".git.", ".git. . ", "git~1.",
            ".git:x",
            ".git::$INDEX_ALLOCATION", "GIT~1:x", ".git ...:stream", ".g\u{200c}it", "\u{200d}.git",
            ".git\u{feff}", ".GI\u{202a}T", ".\u{206f}g\u{206a}i\u{202e}t", "a\\.git", ".git\\x",
            "a\\git~1 \\b",
        ] as [ByteString])
    func everySpellingOfDotGitIsRefused(name: ByteString) {
        #expect(fault(name) == .dotGit)
    }

    @Test func whatIsNotUTF8AfterDotGitDoesNotHideIt() {
        #expect(fault(ByteString(Array(".git".utf8) + [0xff])) == .dotGit)
    }

    @Test func componentsThatAreNoNamesAreRefused() {
        #expect(fault("") == .emptyComponent)
        #expect(fault(".") == .dot)
        #expect(fault("..") == .dotDot)
        #expect(fault("a\\..\\b") == .dotDot)
        #expect(fault("a/b") == .slash)
        #expect(fault("/etc") == .slash)
        #expect(fault(ByteString([0x61, 0])) == .nul)
    }

    @Test(
        arguments: [
            ".gitmodules", ".GITMODULES", ".gitmodules ", ".gitmodules::$DATA", "gitmod~1",
            "GITMOD~4",
            "gi7eba~1", "GI7EB~10", "gi7e~123", "~1000000", ".git\u{200c}modules",
        ] as [ByteString])
    func gitmodulesMayNotBeALink(name: ByteString) {
        #expect(fault(name, link: true) == .linkedGitmodules)
        #expect(fault(name) == nil)
    }

    @Test(
        arguments: [
            "git", ".gitx", "git~2", "git~10", ".gitignore", ".github", ".git-x", "a.git", "...",
            "..a",
            " .git", "gi7eba~0", "gi7eba~", "gi7ebax1", "gi7eba12", "gitmod~5", "a\\x2db",
            "\u{200c}",
            ".g\u{300}it", "C:", "con", "a b", "\u{7f}",
        ] as [ByteString])
    func ordinaryNamesAreTaken(name: ByteString) {
        #expect(fault(name) == nil)
        #expect(fault(name, link: true) == nil)
    }

    @Test func theConfigurationCanWidenTheRules() {
        let rules = PathRules(protectHFS: false, protectNTFS: false)
        for name: ByteString in ["git~1", ".git ", ".g\u{200c}it", "a\\.git"] {
            #expect(fault(name, link: false, rules) == nil)
        }
        #expect(fault(".GiT", link: false, rules) == .dotGit)
    }

    @Test func wholePathsAreHeldAgainstTheRulesByComponent() {
        let rules = PathRules()
        #expect(rules.fault(inPath: "a/b/c", isLink: true) == nil)
        #expect(rules.fault(inPath: "a/.gitmodules", isLink: true) == .linkedGitmodules)
        #expect(rules.fault(inPath: ".gitmodules/x", isLink: true) == nil)
        #expect(rules.fault(inPath: "a/.git/config", isLink: false) == .dotGit)
        #expect(rules.fault(inPath: "a//b", isLink: false) == .emptyComponent)
        #expect(rules.fault(inPath: "/a", isLink: false) == .emptyComponent)
        #expect(rules.fault(inPath: "a/", isLink: false) == .emptyComponent)
        #expect(rules.fault(inPath: "a/../b", isLink: false) == .dotDot)
        #expect(rules.fault(inPath: "", isLink: false) == .emptyComponent)
    }

    @Test func depthAndLengthAreLimited() {
        let deep = ByteString(Array("a/".utf8).repeated(WorktreeLimits.depth) + [0x61])
        #expect(PathRules().fault(inPath: deep, isLink: false) == .tooLong)
        let short = ByteString(Array(deep.bytes.suffix(WorktreeLimits.pathLength)))
        #expect(PathRules().fault(inPath: short, isLink: false) != nil)
        let long = ByteString([UInt8](repeating: 0x61, count: WorktreeLimits.pathLength + 1))
        #expect(PathRules().fault(inPath: long, isLink: false) == .tooLong)
    }

    @Test func anErrorShowsThePathWithItsControlCharactersMasked() throws {
        let error = #expect(throws: WorktreeError.self) {
            try PathRules().check("a\u{1b}[31m/..", mode: .regular)
        }
        #expect(error?.code == .unsafePath)
        #expect(error?.message.contains("a\\x1b[31m/..") == true)
    }
}

extension Array {
    func repeated(_ count: Int) -> [Element] { (0 ..< count).flatMap { _ in self } }
}
