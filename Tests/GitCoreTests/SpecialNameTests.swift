import GitCore
import Testing

@Suite struct SpecialNameTests {
    private func matches(
        _ special: SpecialName, _ name: String, ntfs: Bool = true, hfs: Bool = true
    ) -> Bool {
        special.matches(ByteString(name).bytes.span, ntfs: ntfs, hfs: hfs)
    }

    @Test(arguments: [
        ".gitmodules", ".GITMODULES", ".gitmodules ", ".gitmodules.", ".gitmodules::$DATA",
        "gitmod~1", "GITMOD~4", "gi7eba~1", "gi7eb~10", "GI7EBA~9", "~1000000",
        ".g\u{200c}itmodules",
    ])
    func whatIsTakenForGitmodules(_ name: String) {
        #expect(matches(.gitmodules, name))
    }

    @Test(arguments: [
        ".gitmodule", ".gitmodulesx", "gitmodules", "gitmod~5", "gitmod~0", "gi7eba~0", "gi7ebb~1",
        "gi7eba~1x", "gitmod~", ".git", "",
    ])
    func whatIsNot(_ name: String) {
        #expect(!matches(.gitmodules, name))
    }

    @Test func eachNameHasShortNamesOfItsOwn() {
        #expect(matches(.gitattributes, "gitatt~1") && matches(.gitattributes, "gi7d29~1"))
        #expect(matches(.gitignore, "gitign~1") && matches(.gitignore, "gi250a~1"))
        #expect(matches(.mailmap, "mailma~1") && matches(.mailmap, "maba30~1"))
        #expect(!matches(.gitattributes, "gitmod~1"))
        #expect(matches(.git, "git~1") && !matches(.git, "git~2"))
    }

    @Test func protectionCanBeNarrowed() {
        #expect(!matches(.git, "git~1", ntfs: false))
        #expect(!matches(.git, ".g\u{200c}it", hfs: false))
        #expect(matches(.git, ".GIT", ntfs: false, hfs: false))
    }
}
