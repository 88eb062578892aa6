import Foundation
import GitCore
import Testing

@testable import GitStore

@Suite struct ConfigLayersTests {
    private func listing(_ config: Config) -> ByteString {
        ByteString(
            config.entries.flatMap { entry in
                entry.key.bytes.bytes + (entry.value.map { [0x0a] + $0.bytes } ?? []) + [0]
            })
    }

    /// Compares all that is configured in `directory` with git's `config --list`.
    private func compare(
        _ oracle: RepositoryOracle, _ directory: String = "r",
        overrides: [(String, ByteString?)] = []
    ) throws {
        let arguments = overrides.flatMap { name, value in
            ["-c", value.map { "\(name)=\($0)" } ?? name]
        }
        let outcome = try oracle.run(arguments + ["config", "--list", "-z"], in: directory)
        try #require(outcome.status == 0, "\(outcome.errors)")
        let ours = try Config.load(
            gitDirectory: oracle.path(directory + "/.git"), overrides: overrides,
            environment: oracle.environment)
        #expect(listing(ours) == ByteString(outcome.output))
    }

    @Test func layersAsGitDoes() throws {
        let oracle = try RepositoryOracle([
            "GIT_CONFIG_COUNT": "2", "GIT_CONFIG_KEY_0": "a.b", "GIT_CONFIG_VALUE_0": "env",
            "GIT_CONFIG_KEY_1": "Remote.Or.igin.URL", "GIT_CONFIG_VALUE_1": "",
        ])
        try oracle.write("home/.config/git/config", "[a]\n\tb = xdg\n")
        try oracle.write("home/.gitconfig", "[a]\n\tb = home\n\tflag\n")
        try oracle.git("init", "-q", "r")
        try oracle.git("config", "a.b", "repository", in: "r")
        try compare(oracle, overrides: [("A.B", "c"), ("x.y", nil), ("x.Z.y", "")])
    }

    @Test func honoursTheVariablesThatNameFiles() throws {
        let variables = [
            "GIT_CONFIG_NOSYSTEM": "0", "GIT_CONFIG_SYSTEM": "../system",
            "GIT_CONFIG_GLOBAL": "/dev/null",
        ]
        let oracle = try RepositoryOracle(variables)
        try oracle.write("home/.gitconfig", "[a]\n\tb = home\n")
        try oracle.git("init", "-q", "r")
        try oracle.write("system", "[a]\n\tb = system\n")
        let config = try Config.load(
            gitDirectory: nil,
            environment: Environment([
                "GIT_CONFIG_SYSTEM": oracle.path("system"), "GIT_CONFIG_GLOBAL": "/dev/null",
                "HOME": oracle.path("home"),
            ]))
        #expect(config.strings("a.b") == ["system"])
        let silent = try Config.load(
            gitDirectory: nil,
            environment: Environment([
                "GIT_CONFIG_SYSTEM": oracle.path("system"), "GIT_CONFIG_NOSYSTEM": "yes",
                "XDG_CONFIG_HOME": oracle.path("nowhere"), "HOME": oracle.path("home"),
            ]))
        #expect(silent.strings("a.b") == ["home"])
    }

    @Test func includesAsGitDoes() throws {
        let oracle = try RepositoryOracle()
        try oracle.git("init", "-q", "-b", "feature/x", "r")
        try oracle.write("r/.git/one", "[i]\n\tone = 1\n[include]\n\tpath = ../../two\n")
        try oracle.write("two", "[i]\n\ttwo = 2\n")
        try oracle.write("home/three", "[i]\n\tthree = 3\n")
        let root = oracle.root
        let conditions = [
            "gitdir:\(root)/r/.git", "gitdir:\(root)/", "gitdir:r/", "gitdir:r/.git",
            "gitdir:R/.git", "gitdir/i:R/.GIT", "gitdir:**/r/*", "gitdir:q/", "gitdir:~/",
            "gitdir:./", "gitdir:?/.git", "gitdir:[a-r]/.git", "gitdir:[!a-r]/.git",
            "gitdir:/**/.git", "gitdir:\(root)/**/r/.git", "gitdir:\(root)*", "gitdir:\\r/.git",
            "onbranch:feature/x", "onbranch:feature/", "onbranch:feat*", "onbranch:*/x",
            "onbranch:**", "onbranch:main", "unknown:x", "gitdir:", "gitdir:[r/.git",
        ]
        var text = "[include]\n\tpath = one\n\tpath = missing\n\tpath = ~/three\n"
        for (number, condition) in conditions.enumerated() {
            try oracle.write("c\(number)", "[c]\n\tnumber = \(number)\n")
            let escaped = condition.replacingOccurrences(of: "\\", with: "\\\\")
            text += "[includeIf \"\(escaped)\"]\n\tpath = \(root)/c\(number)\n"
        }
        try oracle.write("r/.git/config", try oracle.text("r/.git/config") + text)
        try compare(oracle)
    }

    @Test func refusesIncludesWithoutAnEnd() throws {
        let oracle = try RepositoryOracle()
        try oracle.write("home/.gitconfig", "[include]\n\tpath = .gitconfig\n")
        let loop = #expect(throws: StoreError.self) {
            try Config.load(gitDirectory: nil, environment: oracle.environment)
        }
        #expect(loop?.code == .limit)
        // Ten times ten times ten …
        try oracle.write(
            "home/.gitconfig",
            "[include]\n" + (0 ..< 10).map { "\tpath = level1-\($0)\n" }.joined())
        for level in 1 ..< 6 {
            let next = (0 ..< 10).map { "\tpath = level\(level + 1)-\($0)\n" }.joined()
            for number in 0 ..< 10 {
                try oracle.write("home/level\(level)-\(number)", "[include]\n" + next)
            }
        }
        let wide = #expect(throws: StoreError.self) {
            try Config.load(gitDirectory: nil, environment: oracle.environment)
        }
        #expect(wide?.code == .limit)
    }

    @Test func includesNothingFromAFileOfSomeoneElses() throws {
        let oracle = try RepositoryOracle()
        try oracle.write("secret", "[a]\n\tb = c\n")
        let file = try ConfigFile(
            parsing: Array("[include]\n\tpath = \(oracle.root)/secret\n".utf8))
        #expect(Config(file).string("a.b") == nil)
        #expect(Config(file).string("include.path") == oracle.path("secret"))
    }

    @Test(arguments: [
        ["GIT_CONFIG_COUNT": "x"], ["GIT_CONFIG_COUNT": "1"], ["GIT_CONFIG_COUNT": "-1"],
        ["GIT_CONFIG_COUNT": "99999999999"], ["GIT_CONFIG_NOSYSTEM": "perhaps"],
        ["GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "a.b"],
        ["GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "ab", "GIT_CONFIG_VALUE_0": "c"],
    ]) func refusesVariablesThatMakeNoSense(_ variables: [String: String]) {
        let environment = Environment(variables.mapValues { ByteString($0) })
        #expect(throws: StoreError.self) {
            try Config.load(gitDirectory: nil, environment: environment)
        }
    }
}

@Suite struct ConfigValueTests {
    static let texts = [
        "", "true", "TRUE", "yes", "on", "false", "No", "oFF", "0", "1", "2", "-1", "1k", "1K",
        "-2m",
        "3g", "0x10", "010", "08", "0x", "1kk", "k", " 1", "1 ", "+1", "+-1", "--1", "1.5", "maybe",
        "9223372036854775807", "9223372036854775808", "-9223372036854775807", "9999999999g",
        "0xg", "0x1k", "0x-1", "1b", "00", "tru", "\t7", "2147483647", "0b1",
    ]

    private func check(_ type: String, _ ours: (Config) throws -> String?) throws {
        let oracle = try RepositoryOracle()
        for text in Self.texts {
            var file = ConfigFile()
            try file.set(try #require(ConfigKey("a.b")), ByteString(text))
            try oracle.write("f", file.bytes)
            let outcome = try oracle.run([
                "config", "--file", oracle.root + "/f", "--type=\(type)", "a.b",
            ])
            let value = try? ours(Config(file))
            #expect(value == (outcome.status == 0 ? outcome.text : nil), "of '\(text)'")
        }
    }

    @Test func numbersMeanWhatTheyMeanToGit() throws {
        try check("int") { try $0.int("a.b").map(String.init) }
    }

    @Test func yesAndNoMeanWhatTheyMeanToGit() throws {
        try check("bool") { try $0.bool("a.b").map(String.init) }
    }

    @Test func aVariableWithoutAValueIsTrue() throws {
        let config = Config(try ConfigFile(parsing: Array("[a]\nb\n".utf8)))
        #expect(try config.bool("A.B") == true)
        #expect(config.string("a.b") == "")
        #expect(throws: StoreError.self) { try config.int("a.b") }
        #expect(try config.bool("a.c") == nil)
    }

    @Test func pathsBeginAtHome() throws {
        let oracle = try RepositoryOracle()
        for text in ["~/x", "~", "/a/~", "~root/y", "x", "~/", "~nobody-of-this-name/x"] {
            try oracle.write("home/.gitconfig", "[a]\n\tb = \(text)\n")
            let outcome = try oracle.run(["config", "--type=path", "a.b"])
            let config = try Config.load(gitDirectory: nil, environment: oracle.environment)
            let ours = try? config.path("a.b")
            #expect(ours == (outcome.status == 0 ? ByteString(outcome.text) : nil), "of \(text)")
        }
    }

    @Test func anEmptyValueEmptiesAList() throws {
        let config = Config(try ConfigFile(parsing: Array("[a]\nb=1\nb=\nb=2\nb=3\n".utf8)))
        #expect(config.list("a.b") == ["2", "3"])
        #expect(config.strings("a.b") == ["1", "", "2", "3"])
    }

    @Test func subsectionsComeOnceInTheirOrder() throws {
        let text =
            "[remote \"b\"]\nx=1\n[remote \"A.c\"]\nx=1\n[remote]\nx=1\n[remote \"b\"]\ny=1\n"
        let config = Config(try ConfigFile(parsing: Array(text.utf8)))
        #expect(config.subsections("remote") == ["b", "A.c"])
    }

    @Test func rewritesURLsAsGitDoes() throws {
        let oracle = try RepositoryOracle()
        try oracle.write(
            "home/.gitconfig",
            """
            [url "https://cache.example/github.com/"]
                insteadOf = https://github.com/
                insteadOf = gh:
            [url "ssh://git@github.com/"]
                pushInsteadOf = https://github.com/
            [url "/local/"]
                insteadOf = https://github.com/local/
            [url "same/"]
                insteadOf = gh:

            """)
        let config = try Config.load(gitDirectory: nil, environment: oracle.environment)
        for url in [
            "https://github.com/a/b", "gh:a/b", "https://github.com/local/x", "http://github.com/a",
            "https://github.com", "",
        ] where !url.isEmpty {
            let theirs = try oracle.git("ls-remote", "--get-url", url)
            #expect(config.rewriting(url: ByteString(url)) == ByteString(theirs))
        }
        #expect(
            config.rewriting(url: "https://github.com/a", forPush: true)
                == "ssh://git@github.com/a")
        #expect(
            config.rewriting(url: "gh:a", forPush: true) == "https://cache.example/github.com/a")
    }
}
