import GitCore
import Testing

@testable import GitStore

@Suite struct ConfigEditingTests {
    private func key(_ text: ByteString) throws -> ConfigKey { try #require(ConfigKey(text)) }

    static let values: [String] = [
        "plain", "", " leading", "trailing ", "\tleading", "trailing\t", "a\nb", "\n", "a\rb",
        "a\r",
        "\r", "\r\n", "a#b", "a;b", "\"", "\\", "a\\", "\"quoted\"", "a  b", " ", "é\u{1b}\u{7f}",
        "a\u{8}b", "[section]", "a = b", "#", "\\n", "a\\\nb", "x\u{b}", "\u{b}x",
    ]

    @Test func valuesRoundTripThroughUsAndThroughGit() throws {
        let oracle = try RepositoryOracle()
        let name = try key("test.Sub\"sec\\tion.Name")
        for value in Self.values {
            var file = ConfigFile()
            try file.set(name, ByteString(value))
            #expect(try ConfigFile(parsing: file.bytes).values(name) == [ByteString(value)])
            try oracle.write("f", file.bytes)
            let outcome = try oracle.run([
                "config", "-z", "--file", oracle.root + "/f", "test.Sub\"sec\\tion.name",
            ])
            #expect(
                ByteString(outcome.output) == ByteString(value) + ByteString([0]),
                "of \(ByteString(value))")
        }
    }

    @Test func refusesNULInAValue() throws {
        var file = ConfigFile()
        #expect(throws: StoreError.self) { try file.set(key("a.b"), "x\0y") }
        #expect(file.bytes.isEmpty)
    }

    static let files: [String] = [
        "", "[core]\n\tbare = false\n", "[core]\n\tbare = false", "[core] bare = false\n\tx = 1\n",
        "# top\n[a]\n\tb = 1 ; why\n\n[core]\n\t# in core\n\tbare = true\n[z]\n\ty = 2\n",
        "[core]\n[z]\n\ty = 2\n", "[core] ; note\n", "[core]\n\tx = a\\\n b\n\tbare = 1\n",
        "\u{FEFF}[core]\r\n\tbare = false\r\n[z]\r\n\ty = 2\r\n",
        "[core]\n\tbare = 1\n[z]\n\ty = 2\n[core]\n\tq = 3\n", "[CORE]\n\tBARE = 1\n",
        "[core]\n\tbare\n\tx=1\n", "[core] [z] y = 2\n",
    ]

    /// What must come out of an edit is what git's own edit gives, entry for entry.
    private func compare(
        _ content: String, _ arguments: [String], _ edit: (inout ConfigFile) throws -> Void
    ) throws {
        let oracle = try RepositoryOracle()
        try oracle.write("ours", content)
        try oracle.write("theirs", content)
        let outcome = try oracle.run(["config", "--file", oracle.root + "/theirs"] + arguments)
        try #require([0, 5].contains(outcome.status), "\(outcome.errors)")
        var file = try ConfigFile(parsing: Array(content.utf8))
        try edit(&file)
        try oracle.write("ours", file.bytes)
        let ours = try oracle.git("config", "--list", "-z", "--file", oracle.root + "/ours")
        let theirs = try oracle.git("config", "--list", "-z", "--file", oracle.root + "/theirs")
        #expect(ours == theirs, "after \(arguments) of \(ByteString(content))")
    }

    @Test(arguments: files) func setsAsGitDoes(_ content: String) throws {
        try compare(content, ["core.bare", "maybe"]) { try $0.set(key("core.bare"), "maybe") }
        try compare(content, ["core.new", "1"]) { try $0.set(key("core.new"), "1") }
        try compare(content, ["remote.a.b.url", "u"]) { try $0.set(key("remote.a.b.url"), "u") }
    }

    @Test(arguments: files) func addsAsGitDoes(_ content: String) throws {
        try compare(content, ["--add", "core.bare", "2"]) { try $0.add(key("core.bare"), "2") }
    }

    @Test(arguments: files) func unsetsAsGitDoes(_ content: String) throws {
        try compare(content, ["--unset-all", "core.bare"]) { try $0.unset(key("core.bare")) }
    }

    @Test(arguments: files.filter { $0.contains("[z]") }) func removesSections(
        _ content: String
    ) throws {
        var file = try ConfigFile(parsing: Array(content.utf8))
        let others = file.entries.filter { $0.key.stem != "z" }.map(\.key)
        #expect(try file.removeSection("Z"))
        #expect(file.entries.map(\.key) == others)
        #expect(try !file.removeSection("z"))
    }

    @Test func editsByteForByteAsGitDoes() throws {
        let oracle = try RepositoryOracle()
        try oracle.git("init", "-q", "r")
        var file = try ConfigFile(parsing: oracle.read("r/.git/config"))
        try oracle.git("config", "remote.origin.url", "https://example.org/a b;c", in: "r")
        try oracle.git(
            "config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*", in: "r")
        try oracle.git("config", "branch.main.remote", "origin", in: "r")
        try oracle.git("config", "core.bare", "true", in: "r")
        try oracle.git("config", "--unset", "core.filemode", in: "r")
        try oracle.git("config", "--unset", "branch.main.remote", in: "r")
        try file.set(key("remote.origin.url"), "https://example.org/a b;c")
        try file.set(key("remote.origin.fetch"), "+refs/heads/*:refs/remotes/origin/*")
        try file.set(key("branch.main.remote"), "origin")
        try file.set(key("core.bare"), "true")
        try file.unset(key("core.filemode"))
        try file.unset(key("branch.main.remote"))
        #expect(ByteString(file.bytes) == ByteString(try oracle.read("r/.git/config")))
    }

    @Test func leavesTheRestByteForByte() throws {
        let content = "\u{FEFF}# odd\r\n[ a \"x\" ]"
        #expect(throws: ParseError.self) { try ConfigFile(parsing: Array(content.utf8)) }
        let before =
            "\u{FEFF}; odd \u{7}\r\n[a  \"x\"]  y=1 ; keep\r\n\r\n\t\tz = \\\r\n 2\r\n# end"
        var file = try ConfigFile(parsing: Array(before.utf8))
        try file.set(key("a.x.z"), "3")
        #expect(
            ByteString(file.bytes)
                == "\u{FEFF}; odd \u{7}\r\n[a  \"x\"]  y=1 ; keep\r\n\r\n\tz = 3\n# end")
    }

    @Test func removesASectionBehindAVeryLongLine() throws {
        let long = String(repeating: "x", count: 2_000_000)
        let content = "[a]\n\tb = \(long)[injected]\n\tc = d\n[gone]\n\te = f\n[last]\n\tg = h\n"
        var file = try ConfigFile(parsing: Array(content.utf8))
        try file.removeSection("gone")
        #expect(file.entries.map(\.key.bytes) == ["a.b", "a.c", "last.g"])
    }

    /// Git 2.39 joins what it writes to such a line.
    @Test func keepsAnUnfinishedLastLineApart() throws {
        var file = try ConfigFile(parsing: Array("[a]\n\tb = c\\".utf8))
        try file.set(key("d.e"), "f")
        #expect(try ConfigFile(parsing: file.bytes).values(key("a.b")) == ["c"])
        #expect(try ConfigFile(parsing: file.bytes).values(key("d.e")) == ["f"])
    }

    @Test(arguments: [
        "a", ".b", "a.", "a.b_c", "a_b.c", "a.1b", "a.b\nc.d", "a.b\0c.d", "", "a b.c",
    ])
    func refusesKeysThatGitWouldNotWrite(_ text: String) {
        #expect(ConfigKey(ByteString(text)) == nil)
    }
}
