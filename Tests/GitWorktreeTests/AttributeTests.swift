import Foundation
import GitCore
import GitStore
import TestSupport
import Testing

@testable import GitWorktree

@Suite struct AttributeTests {
    /// Every pattern against every path, in one run of git.
    @Test func patternsMatchWhatGitSays() throws {
        let scratch = try Scratch()
        try scratch.git("init", "-q")
        let lines = PatternSamples.patterns.enumerated().map { "\($1) p\($0)\n" }.joined()
        try scratch.write(".gitattributes", lines)
        let output = try scratch.gitBytes(
            ["check-attr", "--stdin", "-z", "-a"],
            input: Array(PatternSamples.paths.map { $0 + "\0" }.joined().utf8))
        var theirs: Set<String> = []
        let fields = output.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
        for index in stride(from: 0, to: fields.count - 2, by: 3) {
            theirs.insert("\(fields[index]) \(fields[index + 1])")
        }
        var ours: Set<String> = []
        for (number, pattern) in PatternSamples.patterns.enumerated() {
            guard let compiled = AttributePattern(Array(pattern.utf8)) else { continue }
            for path in PatternSamples.paths {
                let bytes = Array(path.utf8)
                let name = Array(nameBytes(ByteString(bytes)))
                if compiled.matches(path: bytes.span, name: name.span) {
                    let directory = Array(bytes.dropLast(name.count))
                    let mayMatch = compiled.mayMatch(in: directory.span)
                    #expect(mayMatch, "\(pattern) of \(path)")
                    ours.insert("\(path) p\(number)")
                }
            }
        }
        let different = ours.symmetricDifference(theirs).sorted()
        #expect(different == [])
        #expect(theirs.count > 500)
    }

    /// The same of check-ignore, which says that a path is ignored if a directory above it is.
    @Test func patternsMatchWhatCheckIgnoreSays() throws {
        let scratch = try Scratch()
        try scratch.git("init", "-q")
        let input = Array(PatternSamples.paths.map { $0 + "\0" }.joined().utf8)
        var count = 0
        for pattern in PatternSamples.patterns {
            guard let compiled = AttributePattern(Array(pattern.utf8)) else { continue }
            try scratch.write("rules", pattern + "\n")
            let output = try scratch.gitBytes(
                ["-c", "core.excludesFile=rules", "check-ignore", "--no-index", "--stdin", "-z"],
                input: input, true)
            let theirs = Set(output.split(separator: 0).map { ByteString($0) })
            let ours = PatternSamples.paths.map { ByteString($0) }.filter { path in
                path.bytes.indices.contains { end in
                    let part = ByteString(path.bytes[...end])
                    let isPart = end == path.count - 1 || path.bytes[end + 1] == 0x2f
                    return isPart
                        && compiled.matches(
                            path: part.bytes.span, name: Array(nameBytes(part)).span)
                }
            }
            count += ours.count
            #expect(Set(ours).symmetricDifference(theirs) == [], "\(pattern)")
        }
        #expect(count > 500)
    }

    private func sources(
        top: String = "", information: String? = nil, general: String? = nil,
        _ below: [ByteString: String] = [:]
    ) throws -> AttributeSources {
        func file(_ text: String) throws -> AttributesFile {
            try AttributesFile(parsing: Array(text.utf8), allowMacros: true)
        }
        var sources = try AttributeSources(
            information: information.map(file), top: file(top),
            general: general.map { [try file($0)] } ?? [])
        for (directory, text) in below {
            try sources.add(
                AttributesFile(parsing: Array(text.utf8), allowMacros: false), of: directory)
        }
        return sources
    }

    @Test func theNearestFileAndTheLastLineHold() throws {
        var resolver = AttributeResolver(
            try sources(
                top: "*.a text\n*.a eol=lf\nx.a -text\n", information: "i.a eol=crlf\n",
                general: "* ident text=auto\n",
                ["d": "*.a !text eol=crlf\n", "d/e": "x.a text=auto\n", "dd": "* -text\n"]))
        #expect(resolver.attributes(of: "y.a").text == .set)
        #expect(resolver.attributes(of: "y.a").eol == .value("lf"))
        #expect(resolver.attributes(of: "y.a").ident == .set)
        #expect(resolver.attributes(of: "x.a").text == .unset)
        #expect(resolver.attributes(of: "i.a").eol == .value("crlf"))
        #expect(resolver.attributes(of: "d/y.a").text == .unspecified)
        #expect(resolver.attributes(of: "d/e/x.a").text == .value("auto"))
        #expect(resolver.attributes(of: "d/e/x.a").eol == .value("crlf"))
        #expect(resolver.attributes(of: "d/i.a").eol == .value("crlf"))
        #expect(resolver.attributes(of: "dd/q").text == .unset)
        #expect(resolver.attributes(of: "ddd/q").text == .value("auto"))
    }

    @Test func rulesOfOtherDirectoriesAreLeftOut() throws {
        let pattern = try #require(AttributePattern(Array("/d/e/*.c".utf8)))
        func mayMatch(_ directory: String) -> Bool {
            pattern.mayMatch(in: Array(directory.utf8).span)
        }
        #expect(mayMatch("d/e/") && mayMatch("d/e/f/"))
        #expect(!mayMatch("") && !mayMatch("d/") && !mayMatch("d/f/") && !mayMatch("e/"))
        var resolver = AttributeResolver(
            try sources(
                top: "/d/e/*.c text\nd/*.c eol=lf\n*.c ident\n", information: "d/** -crlf\n",
                ["d": "e/*.c eol=crlf\n/*.c -text\n"]))
        #expect(resolver.attributes(of: "x.c") == attributes { $0.ident = .set })
        #expect(
            resolver.attributes(of: "d/x.c")
                == attributes {
                    ($0.ident, $0.eol, $0.crlf, $0.text) = (.set, .value("lf"), .unset, .unset)
                })
        #expect(
            resolver.attributes(of: "d/e/x.c")
                == attributes {
                    ($0.ident, $0.eol, $0.crlf, $0.text) = (.set, .value("crlf"), .unset, .set)
                })
        #expect(
            resolver.attributes(of: "d/f/x.c")
                == attributes { ($0.ident, $0.crlf) = (.set, .unset) })
        #expect(resolver.attributes(of: "e/x.c") == attributes { $0.ident = .set })
    }

    private func attributes(_ change: (inout PathAttributes) -> Void) -> PathAttributes {
        var attributes = PathAttributes()
        change(&attributes)
        return attributes
    }

    @Test func macrosStandForTheirAttributes() throws {
        var resolver = AttributeResolver(
            try sources(
                top: """
                    [attr]outer inner ident
                    [attr]inner eol=crlf -ident
                    [attr]loop loop2
                    [attr]loop2 loop text
                    *.o outer
                    *.b binary
                    *.n -outer
                    *.l loop
                    x.b text
                    """, ["d": "[attr]inner eol=lf\n*.q inner\n"]))
        #expect(resolver.attributes(of: "a.o").eol == .value("crlf"))
        #expect(resolver.attributes(of: "a.o").ident == .set)
        #expect(resolver.attributes(of: "a.b").text == .unset)
        #expect(resolver.attributes(of: "x.b").text == .set)
        #expect(resolver.attributes(of: "a.n").eol == nil)
        #expect(resolver.attributes(of: "a.l").text == .set)
        // A macro may be defined at the top only.
        #expect(resolver.attributes(of: "d/a.q").eol == .value("crlf"))
    }

    @Test func linesThatGitPassesOverAreNothing() throws {
        let long = String(repeating: "x", count: WorktreeLimits.attributeLineLength)
        let file = try AttributesFile(
            parsing: [0xef, 0xbb, 0xbf]
                + Array(
                    """
                    a text\r
                    # b text

                      c   text   -ident
                    !d text
                    e te$xt
                    e -
                    "f\\040g" text
                    "\\303\\251" text
                    "unclosed text
                    \(long) text
                    """.utf8), allowMacros: false)
        #expect(file.lines.count == 5)
        #expect(file.lines[1].settings.map(\.value) == [.set, .unset])
        #expect(
            try AttributesFile(parsing: Array("[attr]x y\n".utf8), allowMacros: false).lines.isEmpty
        )
    }

    @Test func tooManyRulesAreAnError() throws {
        let text = Array("a text\n".utf8).repeated(WorktreeLimits.attributeRules + 1)
        #expect(throws: WorktreeError.self) {
            try AttributesFile(parsing: text, allowMacros: false)
        }
    }

    @Test func aLinkNamedGitattributesIsNotRead() throws {
        let scratch = try Scratch()
        try scratch.git("init", "-q", "source")
        let objects = try scratch.objects("source")
        let target = try objects.write(.blob, Array("* eol=crlf".utf8))
        let text = try objects.write(.blob, Array("a\n".utf8))
        for (mode, expected) in [(FileMode.symbolicLink, "a\n"), (.regular, "a\r\n")] {
            let tree = try objects.write(
                .tree,
                encodeTree([
                    TreeEntry(mode: mode, name: ".gitattributes", oid: target),
                    TreeEntry(mode: .regular, name: "x", oid: text),
                ]))
            let name = mode.octal
            try scratch.git("init", "-q", name)
            let checkout = Checkout(
                objects: objects, workTree: scratch.path / ByteString(name),
                gitDirectory: scratch.path / ByteString(name) / ".git",
                settings: WorktreeSettings())
            _ = try checkout.run(tree: tree)
            #expect(try scratch.read("\(name)/x") == Array(expected.utf8))
        }
    }

    @Test func theRepositorysOwnAttributesAreStronger() throws {
        let scratch = try Scratch()
        try scratch.git("init", "-q", "source")
        try scratch.write("source/.gitattributes", "* eol=crlf\n")
        try scratch.write("source/x", "a\n")
        try scratch.git("add", ".", at: "source")
        try scratch.git("commit", "-q", "-m", "x", at: "source")
        try scratch.write("ours/.git/info/attributes", "* -text\n")
        try scratch.write("general", "x ident\n")
        var settings = WorktreeSettings()
        settings.attributesFiles = [scratch.path / "general", scratch.path / "missing"]
        try checkOut(scratch, from: "source", to: "ours", settings: settings)
        #expect(try scratch.read("ours/x") == Array("a\n".utf8))
    }

    /// The attributes that matter, on generated files, as `git check-attr` gives them.
    @Test func resolvedAttributesAreGits() throws {
        let scratch = try Scratch()
        try scratch.git("init", "-q")
        let values = [
            "text", "-text", "!text", "text=auto", "eol=lf", "eol=crlf", "!eol", "-eol", "crlf",
            "-crlf", "crlf=input", "ident", "-ident", "!ident", "binary", "-binary", "!binary",
            "mine",
            "-mine", "filter=lfs", "working-tree-encoding=UTF-16", "other", "text text=auto",
        ]
        var random = Generator(state: 7)
        for round in 0 ..< 12 {
            var texts: [ByteString: String] = [:]
            for directory: ByteString in ["", "d", "d/e"] {
                var text = directory.isEmpty ? "[attr]mine eol=crlf binary ident\n" : ""
                for _ in 0 ..< 8 {
                    let pattern = ["*", "*.c", "a.c", "d/*", "**/e/*", "e/**", "/a.c"]
                    text += pattern[random.next(pattern.count)]
                    for _ in 0 ... random.next(2) {
                        text += " " + values[random.next(values.count)]
                    }
                    text += "\n"
                }
                texts[directory] = text
                let name = (directory / ".gitattributes").description
                try scratch.write(name, text)
            }
            let paths = ["a.c", "b.c", "x", "d/a.c", "d/x", "d/e/a.c", "d/e/x"]
            let output = try scratch.git(
                arguments: ["check-attr", "--stdin"] + PathAttributes.names.map(\.description),
                input: Array(paths.map { $0 + "\n" }.joined().utf8))
            let top = try AttributesFile(
                parsing: Array((texts[""] ?? "").utf8), allowMacros: true)
            var sources = try AttributeSources(information: nil, top: top, general: [])
            for directory: ByteString in ["d", "d/e"] {
                try sources.add(
                    AttributesFile(
                        parsing: Array((texts[directory] ?? "").utf8), allowMacros: false),
                    of: directory)
            }
            var resolver = AttributeResolver(sources)
            var ours: [String] = []
            for path in paths {
                let found = resolver.attributes(of: ByteString(path))
                let all = [
                    found.text, found.crlf, found.eol, found.ident, found.filter,
                    found.workingTreeEncoding,
                ]
                for (name, value) in zip(PathAttributes.names, all) {
                    ours.append("\(path): \(name): \(describe(value))")
                }
            }
            #expect(ours.joined(separator: "\n") == output, "round \(round)")
        }
    }

    private func describe(_ value: AttributeValue?) -> String {
        switch value {
        case .set: "set"
        case .unset: "unset"
        case .value(let text): text.description
        case .unspecified, nil: "unspecified"
        }
    }
}

extension Scratch {
    func git(arguments: [String], input: [UInt8]) throws -> String {
        let text = String(decoding: try gitBytes(arguments, input: input), as: UTF8.self)
        return text.hasSuffix("\n") ? String(text.dropLast()) : text
    }
}

/// The same numbers every time.
struct Generator {
    var state: UInt64
    mutating func next(_ bound: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % bound
    }
}
