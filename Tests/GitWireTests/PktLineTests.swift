import GitCore
import Testing

@testable import GitWire

@Suite struct PktLineTests {
    private func lines(_ bytes: [UInt8], _ feeding: Feeding = .whole) throws -> [PktLine] {
        var decoder = PktLineDecoder()
        var lines: [PktLine] = []
        for chunk in feeding.chunks(bytes) {
            decoder.push(chunk)
            while let line = try decoder.next() { lines.append(line) }
        }
        #expect(decoder.isBetweenLines)
        #expect(decoder.offset == UInt64(bytes.count))
        return lines
    }

    @Test func writesTheSpecificationsExamples() throws {
        var writer = PktLineWriter()
        try writer.line("a")
        try writer.data("a".utf8)
        try writer.line("foo", "bar")
        try writer.data([])
        writer.flush()
        writer.delim()
        writer.responseEnd()
        #expect(
            String(decoding: writer.bytes, as: UTF8.self)
                == "0006a\n0005a000bfoobar\n0004000000010002")
    }

    @Test(arguments: Feeding.allCases) func readsBackWhatItWrote(_ feeding: Feeding) throws {
        let long = [UInt8](repeating: 7, count: PktLine.maximumPayload)
        var writer = PktLineWriter()
        try writer.data([0, 1, 2, 0xff])
        try writer.data(long)
        writer.flush()
        try writer.data([])
        writer.delim()
        writer.responseEnd()
        #expect(
            try lines(writer.bytes, feeding) == [
                .data([0, 1, 2, 0xff]), .data(long[...]), .flush, .data([]), .delim, .responseEnd,
            ])
    }

    @Test func takesHexDigitsOfEitherCase() throws {
        #expect(try lines(Array("000Aabcdef".utf8)) == [.data(Array("abcdef".utf8)[...])])
    }

    @Test func handsOutASliceOfTheChunkItself() throws {
        let chunk = pkt("hello")
        var decoder = PktLineDecoder()
        decoder.push(chunk)
        guard case .data(let payload)? = try decoder.next() else {
            Issue.record("no line")
            return
        }
        let isSame = chunk.withUnsafeBufferPointer { whole in
            payload.withUnsafeBufferPointer { $0.baseAddress == whole.baseAddress.map { $0 + 4 } }
        }
        #expect(isSame)
    }

    @Test(arguments: [
        "0003", "fff1", "ffff", "00g0", " 004", "+004", "-001", "0x04", "PACK", "\0\0\0\0",
    ])
    func refusesALengthThatIsNone(_ header: String) {
        for feeding in Feeding.allCases {
            var decoder = PktLineDecoder()
            #expect {
                for chunk in feeding.chunks(pkt("abc") + Array(header.utf8)) {
                    decoder.push(chunk)
                    while try decoder.next() != nil {}
                }
            } throws: {
                let error = $0 as? WireError
                return error?.code == .malformed && error?.message.contains("byte 7") == true
            }
        }
    }

    @Test func saysThatItStandsWithinALine() throws {
        for cut in 1 ..< 9 {
            var decoder = PktLineDecoder()
            decoder.push(Array(pkt("hello").prefix(cut)))
            #expect(try decoder.next() == nil)
            #expect(!decoder.isBetweenLines)
            #expect(code { () throws(WireError) in try decoder.checkBetweenLines() } == .truncated)
        }
    }

    @Test func refusesToWriteWhatAReaderWouldNotTake() {
        var writer = PktLineWriter()
        let tooLong = [UInt8](repeating: 0x61, count: PktLine.maximumPayload + 1)
        #expect(code { () throws(WireError) in try writer.data(tooLong) } == .limit)
        #expect(
            code { () throws(WireError) in try writer.line("x", ByteString(tooLong.dropLast())) }
                == .limit)
        #expect(code { () throws(WireError) in try writer.line("x ", "a\nb") } == .invalid)
        #expect(code { () throws(WireError) in try writer.line("x ", "a\0b") } == .invalid)
        #expect(writer.bytes.isEmpty)
    }

    @Test func chunksPushedAtOnceAreReadInOrder() throws {
        var decoder = PktLineDecoder()
        for byte in pkt("abc") + flush { decoder.push([byte]) }
        #expect(try decoder.next() == .data(Array("abc".utf8)[...]))
        #expect(try decoder.next() == .flush)
        #expect(try decoder.next() == nil)
    }
}
