import GitCore
import Testing

@Suite struct PathQuotingTests {
    @Test(arguments: [
        ("plain", "plain"), ("with space", "with space"), ("it's", "it's"), ("", ""),
        ("tab\there", #""tab\there""#), ("line\nend", #""line\nend""#),
        (#"a"b"#, #""a\"b""#), (#"a\b"#, #""a\\b""#), ("\u{7}\u{8}\u{b}\u{c}\r", #""\a\b\v\f\r""#),
        ("\u{1}\u{1f}\u{7f}", #""\001\037\177""#), ("\u{e9}", #""\303\251""#),
    ])
    func quotesWhatWouldBreakALine(_ path: String, _ quoted: String) {
        #expect(ByteString(path).quoted() == ByteString(quoted))
        #expect(ByteString(quoted).unquoted == ByteString(path))
    }

    @Test func highBytesStayWhereTheConfigurationSaysSo() {
        #expect(ByteString("\u{e9}").quoted(isHighQuoted: false) == ByteString("\u{e9}"))
        #expect(ByteString("\u{e9}\n").quoted(isHighQuoted: false) == ByteString("\"\u{e9}\\n\""))
    }

    @Test func everyByteComesBack() {
        let all = ByteString((UInt8(1) ... 255).map { $0 })
        #expect(all.quoted().unquoted == all)
        #expect(all.quoted(isHighQuoted: false).unquoted == all)
        #expect(all.quoted().bytes.allSatisfy { (0x20 ..< 0x7f).contains($0) })
    }

    @Test(arguments: [
        #"""#, #""open"#, #""a"b""#, #""\"#, #""\""#, #""\x41""#, #""\9""#, #""\77""#, #""\777""#,
        #""\18z""#,
    ])
    func brokenQuotingIsRefused(_ text: String) {
        #expect(ByteString(text).unquoted == nil)
    }
}
