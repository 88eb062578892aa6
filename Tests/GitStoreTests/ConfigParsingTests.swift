import GitCore
import Testing

@testable import GitStore

@Suite struct ConfigParsingTests {
    /// The entries as `git config --list -z` prints them; nil where the file is refused.
    private func listing(_ content: [UInt8]) -> [UInt8]? {
        guard let file = try? ConfigFile(parsing: content) else { return nil }
        return file.entries.flatMap { key, value in
            key.bytes.bytes + (value.map { [0x0a] + $0.bytes } ?? []) + [0]
        }
    }

    private func check(_ content: [UInt8], _ oracle: RepositoryOracle) throws {
        try oracle.write("odd", content)
        let outcome = try oracle.run(["config", "--list", "-z", "--file", oracle.root + "/odd"])
        let ours = listing(content)
        let shown = ByteString(content)
        if outcome.status == 0 {
            #expect(ours.map { ByteString($0) } == ByteString(outcome.output), "of \(shown)")
        } else {
            #expect(ours == nil, "git refuses \(shown): \(outcome.errors)")
        }
    }

    static let oddFiles: [String] = [
        "", "\n\n", "# only a comment", "; one\n", "[a]", "[a]\nb", "[a]\nb=", "[a]\nb =\n",
        "[a]b=1", "[a] b = 1\n[A]\n  B = 2", "[A.B]\nc = 1", "[a \"B\"]\nC = d",
        "[a \"b\\\"c\\\\d\\e\"]\nf = g", "[a\t \"b\"]\nc=d", "[a \"b\" ]\nc=d", "[a\"b\"]\nc=d",
        "[a \"\"]\nc=d", "[a.]\nc=d", "[.a]\nc=d", "[]\nc=d", "[a b]\nc=d", "[a \"b]\nc=d",
        "[a \"b\nc\"]\nd=e", "[a \"b\\\nc\"]\nd=e", "[a\n\"b\"]\nc=d", "[a-1.b]\nc-2=3",
        "[a_b]\nc=d", "[a]\nb_c=d", "[a]\n1b=c", "[a]\n-b=c", "[a]\nb c=d", "[a]\nb # c\n",
        "[a]\nb ; c\n", "[a]\nb=c#d\n", "[a]\nb=c ; d\n", "[a]\nb=\"c ; d\" # e\n",
        "[a]\nb=\"c\"d\"e\"\n", "[a]\nb=c\\\n  d\\\n\n", "[a]\nb=c\\", "[a]\nb=c\\\\",
        "[a]\nb=c \\\n",
        "[a]\nb=\"c\\\nd\"", "[a]\nb=\"c\nd\"", "[a]\nb=\"c", "[a]\nb=\\n\\t\\b\\\"\\\\x",
        "[a]\nb=\\x",
        "[a]\nb=\\ c", "[a]\nb =   c  d   \n", "[a]\nb=\" c \"  \n", "[a]\nb=c \"\"  \n",
        "[a]\nb=\"\"  c\n", "[a]\r\nb=c\r\n", "[a]\r\nb=\"c\\\r\nd\"\r\n", "[a]\nb=\"c\r\"\n",
        "[a \"b\r\nc\"]\n", "\u{FEFF}[a]\nb=c", "\u{FEFF}\u{FEFF}[a]\nb=c", "[a]\n\u{FEFF}b=c",
        "b=c\n", "b\n[a]\nd=e\n", "[a]\n=c", "[a]\nb==c", "[a]\nb=c=d", "[a] [b]\nc=d",
        "[a]# [b]\nc=d", "[a]\nb=ü\u{7}\u{8}\u{1b}", "[a] ; c\nb", "[a]\nb\t=\tc\n",
        "[a]\nb=# c\n", "[a]\nb=\"#\" # c\n", "[a]\nb=c\\\n# d\n", "]\n", "[a]]\nb=c",
        "[a]\nb=[c]\n",
        "[a \"b.c\"]\nd=e", "[a.b.c]\nd=e", "[a]\nb=c\u{b}d\u{c}\n", "[a \"B\" ]", "[a]\nb\\\n=c",
    ]

    @Test func readsOddFilesAsGitDoes() throws {
        let oracle = try RepositoryOracle()
        for content in Self.oddFiles { try check(Array(content.utf8), oracle) }
        // A byte order mark cut short, and bytes that are not UTF-8.
        try check([0xef, 0xbb] + Array("[a]\nb=c".utf8), oracle)
        try check(Array("[a \"".utf8) + [0xff, 0x80] + Array("\"]\nb=".utf8) + [0xfe], oracle)
    }

    @Test func readsRandomFilesAsGitDoes() throws {
        let oracle = try RepositoryOracle()
        let pieces = [
            "[", "]", "[a]", "[b \"C\"]", "a", "B", "=", " ", "\n", "\n", "\r\n", "\"", "\\", "#",
            ";",
            "x = 1\n", "n", ".", "-", "\n\t", "é",
        ]
        var generator = RandomBytes(seed: 7)
        for _ in 0 ..< 300 {
            var content = "[s]\n"
            for _ in 0 ..< Int.random(in: 1 ... 14, using: &generator) {
                content += pieces.randomElement(using: &generator) ?? ""
            }
            try check(Array(content.utf8), oracle)
        }
    }

    @Test func keepsBlanksInsideValuesAsTheManualSays() throws {
        let file = try ConfigFile(parsing: Array("[a]\nb = x\t \ty \t\n".utf8))
        #expect(file.entries.map(\.value) == ["x\t \ty"])
    }

    @Test(arguments: ["[a]\nb=c\0d", "[a \"b\0\"]\n", "[a]\nb\0=c"])
    func refusesNUL(_ content: String) {
        #expect(throws: ParseError.self) { try ConfigFile(parsing: Array(content.utf8)) }
    }

    @Test func namesTheLineOfAFault() throws {
        let oracle = try RepositoryOracle()
        try oracle.write("bad", "[a]\nb = c\nd = \\x\n[e]\n")
        let error = #expect(throws: StoreError.self) {
            try ConfigFile(path: oracle.path("bad"))
        }
        #expect(error?.code == .corrupt)
        #expect(error?.message.hasPrefix("bad config line 3 in file") == true, "\(error as Any)")
    }

    @Test func readsLongLines() throws {
        let value = String(repeating: "v", count: 3_000_000)
        let file = try ConfigFile(parsing: Array("[a]\nb = \(value)\n".utf8))
        #expect(file.entries.first?.value?.count == value.utf8.count)
    }
}

/// The same random numbers every time.
struct RandomBytes: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return (state >> 32) | (state << 32)
    }
}
