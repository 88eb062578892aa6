import Foundation
import GitCore
import GitStore
import Testing

@testable import GitWorktree

/// Every kind of content under every attribute and configuration, beside real git.
@Suite struct ConversionTests {
    private static let contents: [String: [UInt8]] = {
        var contents: [String: [UInt8]] = [:]
        for (name, text) in [
            ("empty", ""), ("lf", "a\nb\n"), ("crlf", "a\r\nb\r\n"), ("mixed", "a\r\nb\n"),
            ("lonecr", "a\rb\n"), ("endcr", "a\nb\r"), ("crcrlf", "a\r\r\nb\n"), ("noend", "a\nb"),
            ("nul", "a\n\0b\n"), ("nulcrlf", "a\r\n\0b\r\n"), ("eof", "a\nb\n\u{1a}"),
            ("odd", "\u{1}\u{2}\n"), ("oddcrlf", "\u{1}\u{2}\r\n"), ("del", "a\u{7f}\n"),
            ("esc", "\u{1b}[1m\u{8}\u{c}\n"), ("onlylf", "\n"), ("onlycrlf", "\r\n"),
            ("justodd", String(repeating: "x", count: 127) + "\u{1}\n"),
            ("justtext", String(repeating: "x", count: 128) + "\u{1}\n"),
            ("latin", "\u{e9}t\u{e9}\n"), ("id", "$Id$\n"), ("idtext", "a $Id: old $ b\r\n$Id$"),
            ("idforeign", "$Id: a b c $\n$Id: 12 $\n$Id:$\n$Id: $\n$Id:x$\n"),
            ("idbroken", "$Id: no\n end$ $Idx$ $Id $ $Id$ $Id"), ("idtail", "$Id: x"),
            ("iddouble", "$$Id$ $Id: a b $Id$ $Id:a b$\n"),
        ] {
            contents[name] = Array(text.utf8)
        }
        contents["latin1"] = [0xe9, 0x0a, 0x80, 0x0d, 0x0a]
        return contents
    }()

    private static let attributes = [
        "none": "", "text": "text", "untext": "-text", "auto": "text=auto", "lf": "eol=lf",
        "crlf": "eol=crlf", "textcrlf": "text eol=crlf", "textlf": "text eol=lf",
        "autocrlf": "text=auto eol=crlf", "autolf": "text=auto eol=lf",
        "untextcrlf": "-text eol=crlf",
        "old": "crlf", "oldno": "-crlf", "oldinput": "crlf=input", "oldeol": "crlf=input eol=crlf",
        "ident": "ident", "identcrlf": "ident text eol=crlf", "binary": "binary",
        "unspec": "!text eol=crlf", "nonsense": "text=maybe eol=mac",
        "filtered": "filter=x text eol=crlf",
    ]

    private static let configurations: [(name: String, settings: WorktreeSettings)] = {
        var all: [(String, WorktreeSettings)] = []
        for (auto, name) in [
            (WorktreeSettings.AutoCRLF.off, "false"), (.on, "true"), (.input, "input"),
        ] {
            for (eol, eolName) in [(WorktreeSettings.LineEnd.lf, "lf"), (.crlf, "crlf")] {
                // Git refuses this pair.
                if auto == .input, eol == .crlf { continue }
                var settings = WorktreeSettings()
                settings.autoCRLF = auto
                settings.eol = eol
                all.append(("core.autocrlf=\(name) core.eol=\(eolName)", settings))
            }
        }
        return all
    }()

    /// `source`: a commit whose blobs are the contents as they are, under every attribute.
    private func makeSource(_ scratch: Scratch) throws {
        try scratch.git("init", "-q", "source")
        var rules = ""
        for (name, value) in Self.attributes {
            if !value.isEmpty { rules += "/\(name)/* \(value)\n" }
            for (file, content) in Self.contents {
                try scratch.write("source/\(name)/\(file)", content)
            }
        }
        try scratch.write("source/.git/info/attributes", "* -text -ident -crlf\n")
        try scratch.write("source/.gitattributes", rules)
        try scratch.git("add", ".", at: "source")
        try scratch.git("commit", "-q", "-m", "all", at: "source")
    }

    private func configuration(_ name: String) -> [String] {
        name.split(separator: " ").flatMap { ["-c", String($0)] }
    }

    @Test func checkedOutFilesAreGits() throws {
        let scratch = try Scratch()
        try makeSource(scratch)
        for (number, (name, settings)) in Self.configurations.enumerated() {
            let (ours, theirs) = ("ours\(number)", "theirs\(number)")
            _ = try scratch.gitBytes(configuration(name) + ["clone", "-q", "source", theirs])
            try checkOut(scratch, from: "source", to: ours, settings: settings)
            for directory in Self.attributes.keys {
                for file in Self.contents.keys {
                    // Git has a second reader of $Id$, used where it guesses line ends, that differs.
                    if settings.autoCRLF == .on, directory == "ident", file == "iddouble" {
                        continue
                    }
                    let path = "\(directory)/\(file)"
                    let (our, their) = (
                        try scratch.read("\(ours)/\(path)"), try scratch.read("\(theirs)/\(path)")
                    )
                    #expect(our == their, "\(name) \(path)")
                }
            }
        }
    }

    @Test func addedFilesAreGits() throws {
        let scratch = try Scratch()
        try makeSource(scratch)
        // The index already has each file in another form, so that the rule for CRLF in it counts.
        for indexed in ["absent", "crlf", "lf", "nulcrlf"] {
            for (number, (name, settings)) in Self.configurations.enumerated() {
                let target = "\(indexed)\(number)"
                try scratch.git("init", "-q", target)
                for directory in Self.attributes.keys {
                    for (file, content) in Self.contents {
                        try scratch.write("\(target)/\(directory)/\(file)", content)
                    }
                }
                try scratch.write("\(target)/.gitattributes", scratch.read("source/.gitattributes"))
                if indexed != "absent" { try fill(scratch, target, with: indexed) }
                let index = try scratch.read("\(target)/.git/index", orEmpty: true)
                _ = try scratch.gitBytes(
                    configuration(name) + ["-c", "core.safecrlf=false", "add", "."], at: target)
                let theirs = try scratch.git("ls-files", "--stage", at: target)
                let path = scratch.path / ByteString(target)
                if index.isEmpty {
                    try FileManager.default.removeItem(
                        atPath: scratch.url.path + "/\(target)/.git/index")
                } else {
                    try scratch.write("\(target)/.git/index", index)
                }
                var update = try IndexUpdate(
                    indexPath: path / ".git/index", objects: try scratch.objects(target),
                    workTree: path, gitDirectory: path / ".git", settings: settings)
                try update.update(".gitattributes", .add)
                for directory in Self.attributes.keys {
                    for file in Self.contents.keys {
                        try update.update(ByteString("\(directory)/\(file)"), .add)
                    }
                }
                try update.commit()
                let ours = try scratch.git("ls-files", "--stage", at: target)
                #expect(ours == theirs, "\(name), index: \(indexed)")
            }
        }
    }

    private func fill(_ scratch: Scratch, _ target: String, with content: String) throws {
        let blob = try scratch.git(
            "hash-object", "-w", "--stdin", "--no-filters", at: target,
            input: Self.contents[content] ?? [])
        var lines = ""
        for directory in Self.attributes.keys {
            for file in Self.contents.keys { lines += "100644 \(blob)\t\(directory)/\(file)\n" }
        }
        try scratch.git("update-index", "--index-info", at: target, input: Array(lines.utf8))
    }

    @Test func safecrlfWarnsAndRefusesAsGit() throws {
        let scratch = try Scratch()
        for (number, (name, settings)) in Self.configurations.enumerated() {
            for (attribute, value) in Self.attributes.sorted(by: { $0.key < $1.key }) {
                let target = "r\(number)\(attribute)"
                try scratch.git("init", "-q", target)
                try scratch.write("\(target)/.git/info/attributes", "* \(value)\n")
                let path = scratch.path / ByteString(target)
                for file in ["lf", "crlf", "mixed", "nul", "lonecr"] {
                    try scratch.write("\(target)/\(file)", Self.contents[file] ?? [])
                }
                let theirs = try scratch.gitBytes(
                    configuration(name) + ["add", "."], at: target, true)
                try FileManager.default.removeItem(
                    atPath: scratch.url.path + "/\(target)/.git/index")
                var update = try IndexUpdate(
                    indexPath: path / ".git/index", objects: try scratch.objects(target),
                    workTree: path, gitDirectory: path / ".git", settings: settings)
                for file: ByteString in ["crlf", "lf", "lonecr", "mixed", "nul"] {
                    try update.update(file, .add)
                }
                let ours = update.warnings.map { "warning: \($0)\n" }.joined()
                #expect(ours == String(decoding: theirs, as: UTF8.self), "\(name) \(value)")
            }
        }
    }

    @Test func countsDoNotDependOnHowTheBytesArrive() {
        for (name, content) in Self.contents {
            var stats = TextStats()
            for byte in content { [byte].withUnsafeBytes { stats.update($0) } }
            stats.finish()
            #expect(stats == TextStats(content), "\(name)")
            var converter = CRLFConverter()
            var whole = CRLFConverter()
            let pieces = content.flatMap { byte in
                [byte].withUnsafeBytes { converter.convert($0) }
            }
            #expect(pieces == content.withUnsafeBytes { whole.convert($0) }, "\(name)")
            var ident = IdentExpander(.zero(.sha1))
            var wholeIdent = ident
            let identPieces = content.flatMap { byte in
                [byte].withUnsafeBytes { ident.convert($0) }
            }
            let atOnce = content.withUnsafeBytes { wholeIdent.convert($0) }
            #expect(identPieces + ident.finish() == atOnce + wholeIdent.finish(), "\(name)")
        }
    }

    @Test func aLargeFileIsConvertedPieceByPiece() throws {
        let scratch = try Scratch()
        try scratch.git("init", "-q", "source")
        let line = Array("0123456789abcdef\n".utf8)
        let count = 8 * WorktreeLimits.conversionPiece / line.count + 1_000
        try scratch.write("source/.gitattributes", "* text=auto ident\n")
        try scratch.write("source/text", Array("$Id$\n".utf8) + line.repeated(count))
        try scratch.write("source/binary", line.repeated(count) + [0])
        try scratch.git("add", ".", at: "source")
        try scratch.git("commit", "-q", "-m", "all", at: "source")
        var settings = WorktreeSettings()
        settings.autoCRLF = .on
        try checkOut(scratch, from: "source", to: "ours", settings: settings)
        #expect(try scratch.read("ours/text").count == 6 + 43 + (line.count + 1) * count)
        #expect(try scratch.read("ours/binary").count == line.count * count + 1)
        try scratch.git("config", "core.autocrlf", "true", at: "ours")
        #expect(try scratch.git("status", "--porcelain", at: "ours") == "")
    }

    @Test func anEncodingThatIsNotAppliedIsTold() throws {
        let scratch = try Scratch()
        try scratch.git("init", "-q", "source")
        try scratch.write(
            "source/.gitattributes",
            "*.u working-tree-encoding=UTF-16\n*.v working-tree-encoding=utf-8\n")
        for name in ["a.u", "b.u", "c.v"] { try scratch.write("source/\(name)", "x") }
        try scratch.write("source/.git/info/attributes", "* !working-tree-encoding\n")
        try scratch.git("add", ".", at: "source")
        try scratch.git("commit", "-q", "-m", "all", at: "source")
        var warnings: [String] = []
        try checkOut(scratch, from: "source", to: "ours", warn: { warnings.append($0) })
        #expect(
            warnings == [
                "working-tree-encoding 'UTF-16' is not supported: files are left in UTF-8"
            ])
        #expect(try scratch.read("ours/a.u") == [0x78])
    }
}

extension Scratch {
    func read(_ name: String, orEmpty: Bool) throws -> [UInt8] {
        exists(name) ? try read(name) : []
    }
}
