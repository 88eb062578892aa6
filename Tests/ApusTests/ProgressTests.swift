import TestSupport
import Testing

/// What a person sees of a clone.
@Suite(.timeLimit(.minutes(10))) struct ProgressTests {
    @Test(arguments: ["tiny", "history", "odd-names"])
    func saysOneLineWhenNotOnATerminal(fixture: String) throws {
        let pair = try ClonePair([try Fixture.named(fixture).url()])
        #expect(pair.apus.stdout == [])
        #expect(pair.apus.err == "Cloning into 'copy'...\n")
        #expect(pair.apus.err == pair.git.err)
    }

    @Test func warnsOfAnEmptyRepository() throws {
        let pair = try ClonePair([try Fixture.named("empty").url()])
        #expect(pair.apus.errorLines.count == 2)
        #expect(pair.apus.errorLines.last?.hasPrefix("warning: ") ?? false)
    }

    @Test func warnsOfAHEADThatPointsNowhere() throws {
        let pair = try ClonePair([try Fixture.named("unborn-other").url()])
        #expect(pair.apus.succeeded)
        #expect(pair.apus.errorLines.count == pair.git.errorLines.count, "\(pair.apus.err)")
    }

    @Test(arguments: ["-q", "--quiet", "-q --progress"])
    func saysNothingWhenQuiet(options: String) throws {
        let options = options.split(separator: " ").map(String.init)
        let pair = try ClonePair(options + [try Fixture.named("history").url()])
        #expect(pair.apus.succeeded)
        if !options.contains("--progress") { #expect(pair.apus.err == "") }
        #expect(pair.apus.err.isEmpty == pair.git.err.isEmpty)
    }

    @Test func showsEveryPhaseWhenAskedTo() throws {
        let pair = try ClonePair(["--progress", try Fixture.named("history").url()])
        let lines = pair.apus.errorLines
        let objects = try Git.line(
            ["rev-list", "--objects", "--all", "--count"],
            in: pair.byApus("copy"))
        #expect(lines.contains { $0.hasPrefix("remote: Counting objects: 100%") })
        #expect(lines.contains { $0.hasPrefix("remote: Total ") })
        let received = lines.last { $0.hasPrefix("Receiving objects: ") } ?? ""
        #expect(
            received.wholeMatch(
                of:
                    /Receiving objects: 100% \((\d+)\/(\d+)\), [\d.]+ (bytes|[KMG]iB) \| [\d.]+ (bytes|[KMG]iB)\/s, done\./
            )
            .map { $0.1 == objects && $0.2 == objects } ?? false, "\(received), not \(objects)")
        let resolved = lines.last { $0.hasPrefix("Resolving deltas: ") } ?? ""
        #expect(resolved.wholeMatch(of: /Resolving deltas: 100% \((\d+)\/\1\), done\./) != nil)
        if !Apus.isGit { expectNoControlCharacters(pair.apus) }
    }

    @Test func redrawsALineOnATerminal() throws {
        let scratch = try TemporaryDirectory()
        let url = try Fixture.named("history").url()
        let result = try run(
            "script", ["-qec", "'\(Apus.path)' clone '\(url)' copy", "/dev/null"],
            environment: ["TERM": "xterm"], directory: scratch.path)
        #expect(result.succeeded, "\(result.err)")
        #expect(result.out.contains("\rReceiving objects: 100% "))
        #expect(result.out.contains("remote: "))
        #expect(result.out.hasSuffix("done.\r\n"))
        #expect(exists(scratch("copy/.git/HEAD")))
    }

    @Test func isSilentOnATerminalWithNoProgress() throws {
        let scratch = try TemporaryDirectory()
        let url = try Fixture.named("history").url()
        let result = try run(
            "script", ["-qec", "'\(Apus.path)' clone --no-progress '\(url)' copy", "/dev/null"],
            environment: ["TERM": "xterm"], directory: scratch.path)
        #expect(result.out == "Cloning into 'copy'...\r\n")
    }
}
