import GitCore
import Testing

@testable import GitWire

@Suite struct SideBandTests {
    private func demultiplex(
        _ bytes: [UInt8], _ feeding: Feeding = .whole
    ) throws(WireError) -> (data: [UInt8], progress: [UInt8]) {
        var packets = PktLineDecoder()
        var sideBand = SideBand()
        var data: [UInt8] = []
        var text: [UInt8] = []
        for chunk in feeding.chunks(bytes) {
            packets.push(chunk)
            while let packet = try sideBand.next(&packets, inPieces: true) {
                switch packet {
                case .data(let piece, _): data += piece
                case .progress(let piece): text += piece
                case .flush, .delim: break
                }
            }
        }
        try packets.checkBetweenLines()
        return (data, text)
    }

    @Test(arguments: Feeding.allCases)
    func separatesDataFromProgress(_ feeding: Feeding) throws {
        let bytes =
            pkt("\u{1}PA") + pkt("\u{2}working\r") + pkt("\u{1}") + pkt("\u{2}") + pkt("\u{1}CK")
            + flush
        let (data, progress) = try demultiplex(bytes, feeding)
        #expect(data == Array("PACK".utf8))
        #expect(progress == Array("working\r".utf8))
    }

    @Test(arguments: Feeding.allCases)
    func refusesAnEmptyPacketAndAnUnknownBand(_ feeding: Feeding) {
        for bytes in [pkt(""), pkt("\0x"), pkt("\u{4}x"), pkt("Exy")] {
            #expect(
                code { () throws(WireError) in _ = try demultiplex(bytes, feeding) } == .malformed)
        }
    }

    @Test(arguments: Feeding.allCases)
    func bandThreeIsTheServersError(_ feeding: Feeding) throws {
        let error = #expect(throws: WireError.self) {
            _ = try demultiplex(pkt("\u{1}PACK") + pkt("\u{3}no \u{1b}[31mroom\nleft\n"), feeding)
        }
        #expect(error?.code == .server)
        #expect(error?.remoteText == "no \u{1b}[31mroom\nleft\n")
        #expect(error?.message == "remote error: no \\x1b[31mroom left")
        #expect(error?.remoteLines == ["no \\x1b[31mroom", "left"])
    }

    @Test(arguments: Feeding.allCases)
    func anErrorPacketIsTheServersErrorToo(_ feeding: Feeding) {
        let error = #expect(throws: WireError.self) {
            _ = try demultiplex(pkt("\u{1}PACK") + pkt("ERR out of memory"), feeding)
        }
        #expect(error?.code == .server)
        #expect(error?.message == "remote error: out of memory")
    }

    @Test func dataIsHandedOutBeforeItsPacketIsWhole() throws {
        var packets = PktLineDecoder()
        var sideBand = SideBand()
        packets.push(Array("fff0".utf8) + [1, 42])
        guard case .data(let piece, let at)? = try sideBand.next(&packets, inPieces: true) else {
            Issue.record("no data")
            return
        }
        #expect(Array(piece) == [42])
        #expect(at == 5)
        let rest = try sideBand.next(&packets, inPieces: true)
        #expect(rest.map { "\($0)" } == nil)
        #expect(!packets.isBetweenLines)
    }
}

@Suite struct ProgressTextTests {
    private func lines(_ packets: [String]) -> [ProgressLine] {
        var text = ProgressText()
        var lines = packets.flatMap { text.push(Array($0.utf8)[...]) }
        if let last = text.finish() { lines.append(last) }
        return lines
    }

    @Test func joinsLinesAcrossPackets() {
        #expect(
            lines(["Counting: 1", "0%\rCount", "ing: 100%\n", "Total 3\nlast"]) == [
                ProgressLine(text: "Counting: 10%", stays: false),
                ProgressLine(text: "Counting: 100%", stays: true),
                ProgressLine(text: "Total 3", stays: true),
                ProgressLine(text: "last", stays: true),
            ])
    }

    @Test func makesControlCharactersVisible() {
        #expect(
            lines(["\u{1b}]0;pwned\u{7}\tx\u{9b}\n"]).map(\.text) == ["\\x1b]0;pwned\\x07\tx\\x9b"])
    }

    @Test func cutsALineWithoutEnd() {
        let long = String(repeating: "x", count: ProgressText.maximumLine * 2 + 1)
        #expect(
            lines([long]).map(\.text.count)
                == [ProgressText.maximumLine, ProgressText.maximumLine, 1])
    }

    @Test func carriageReturnAndLineFeedLeaveTheLineStanding() {
        #expect(
            lines(["a\r", "\nb\n"]) == [
                ProgressLine(text: "a", stays: false), ProgressLine(text: "", stays: true),
                ProgressLine(text: "b", stays: true),
            ])
    }
}
