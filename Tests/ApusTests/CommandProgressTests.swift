import GitCore
import Testing

@testable import apus

@Suite struct CommandProgressTests {
    /// Collects what is drawn; `now` moves only by hand.
    private final class Screen {
        var text = ""
        var now = ContinuousClock.now
        func take() -> String {
            defer { text = "" }
            return text
        }
    }

    private func display(
        _ screen: Screen, isTerminal: Bool = true, columns: Int = 80, isForeground: Bool = true
    ) -> ProgressDisplay {
        let terminal = Terminal(
            isTerminal: isTerminal, columns: { columns }, isForeground: { isForeground })
        return ProgressDisplay(terminal: terminal) { screen.text += $0 }
    }

    @Test func aPhaseIsOneLineRedrawnAndEndsInDone() {
        let screen = Screen()
        var progress = display(screen)
        progress.begin("Receiving objects", at: screen.now)
        progress.update(ProgressCounts(done: 1, total: 200), at: screen.now)
        #expect(screen.take() == "Receiving objects:   0% (1/200)\r")
        screen.now += .seconds(1)
        progress.update(
            ProgressCounts(done: 84, total: 200, bytes: 1_258_291), at: screen.now)
        #expect(
            screen.take() == "Receiving objects:  42% (84/200), 1.20 MiB | 1.20 MiB/s\r")
        progress.update(ProgressCounts(done: 200, total: 200), at: screen.now)
        progress.finish(at: screen.now)
        // The shorter counts cover the longer ones by the line's end alone, as with Git.
        #expect(screen.take() == "Receiving objects: 100% (200/200), done.\n")
    }

    @Test func redrawsAreNotTooMany() {
        let screen = Screen()
        var progress = display(screen)
        progress.begin("Updating files", at: screen.now)
        for count in 0 ..< 1_000 {
            progress.update(ProgressCounts(done: UInt64(count), total: 1_000), at: screen.now)
            screen.now += .milliseconds(1)
        }
        #expect(screen.take().split(separator: "\r").count == 10)
    }

    @Test func aShortPhaseWithDelayIsNotShown() {
        let screen = Screen()
        var progress = display(screen)
        progress.begin("Updating files", at: screen.now, delay: .seconds(2))
        progress.update(ProgressCounts(done: 1, total: 2), at: screen.now)
        screen.now += .seconds(1)
        progress.update(ProgressCounts(done: 2, total: 2), at: screen.now)
        progress.finish(at: screen.now)
        #expect(screen.take() == "")
    }

    @Test func aLongPhaseWithDelayIsShown() {
        let screen = Screen()
        var progress = display(screen)
        progress.begin("Updating files", at: screen.now, delay: .seconds(2))
        screen.now += .seconds(3)
        progress.update(ProgressCounts(done: 1, total: 2), at: screen.now)
        #expect(screen.take() == "Updating files:  50% (1/2)\r")
    }

    @Test func countsWithoutATotalAreShownAlone() {
        #expect(ProgressCounts(done: 1234).text(rate: 0) == "1234")
        #expect(ProgressCounts(done: 5, total: 0).text(rate: 0) == "5")
    }

    @Test func hostileCountsDoNotTrap() {
        #expect(ProgressCounts(done: .max, total: 1).text(rate: 0).hasPrefix("100%"))
        #expect(ProgressCounts(done: .max, total: .max).text(rate: .max).hasPrefix("100%"))
        #expect(ProgressCounts(done: 1, total: .max, bytes: .max).text(rate: .max).contains("GiB"))
    }

    @Test func shorterCountsCoverLongerOnes() {
        let screen = Screen()
        var progress = display(screen)
        progress.begin("Counting", at: screen.now)
        progress.update(ProgressCounts(done: 1_000_000), at: screen.now)
        screen.now += .seconds(1)
        progress.update(ProgressCounts(done: 1), at: screen.now)
        #expect(screen.take() == "Counting: 1000000\rCounting: 1      \r")
    }

    @Test func aNarrowTerminalGetsTheTitleOnItsOwnLine() {
        let screen = Screen()
        var progress = display(screen, columns: 20)
        progress.begin("Receiving objects", at: screen.now)
        progress.update(ProgressCounts(done: 1, total: 2), at: screen.now)
        #expect(screen.take() == "Receiving objects:  \n   50% (1/2)\r")
        progress.finish(at: screen.now)
        #expect(screen.take() == "   50% (1/2), done.\n")
    }

    @Test func nothingIsDrawnInTheBackground() {
        let screen = Screen()
        var progress = display(screen, isForeground: false)
        progress.begin("Receiving objects", at: screen.now)
        progress.update(ProgressCounts(done: 1, total: 2), at: screen.now)
        #expect(screen.take() == "")
    }

    @Test func bytesAreReadable() {
        #expect(humanBytes(0) == "0 bytes")
        #expect(humanBytes(1) == "1 byte")
        #expect(humanBytes(1_024) == "1024 bytes")
        #expect(humanBytes(1_025) == "1.00 KiB")
        #expect(humanBytes(1 << 20) == "1024.00 KiB")
        #expect(humanBytes(1_258_291) == "1.20 MiB")
        #expect(humanBytes(5 << 30) == "5.00 GiB")
    }

    @Test(arguments: [1, 3, 1_000])
    func theServersLinesArePrefixedHoweverTheyArrive(_ size: Int) {
        let text = Array("Counting: 1%\rCounting: 2%\r\nTotal 3\nno end".utf8)
        var lines = RemoteLines(isTerminal: true)
        var shown = ""
        var rest = text[...]
        while !rest.isEmpty {
            shown += lines.feed(Array(rest.prefix(size)))
            rest = rest.dropFirst(size)
        }
        shown += lines.finish()
        #expect(
            shown == "remote: Counting: 1%\u{1b}[K\rremote: Counting: 2%\u{1b}[K\r"
                + "remote: \nremote: Total 3\u{1b}[K\nremote: no end\u{1b}[K\n")
    }

    @Test func theServerCannotDriveTheTerminal() {
        var lines = RemoteLines(isTerminal: false)
        let hostile = Array("\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\n".utf8)
        let shown = lines.feed(hostile)
        #expect(shown == "remote: \\x1b]0;owned\\x07\\x1b[2J\\x9b31m        \n")
    }

    @Test func aLineWithoutEndIsCut() {
        var lines = RemoteLines(isTerminal: true)
        let shown = lines.feed(Array(repeating: 0x61, count: RemoteLines.maximumLine * 2 + 1))
        #expect(shown.split(separator: "\n").count == 2)
        #expect(lines.finish() == "remote: a\u{1b}[K\n")
    }
}
