import GitCore
import Testing

@testable import GitCache

@Suite struct JSONValueTests {
    private func value(_ text: String) throws -> JSONValue {
        try JSONValue(parsing: Array(text.utf8))
    }

    @Test func valuesAreRead() throws {
        let root = try value(
            " {\"a\" : [1, -2.5e+3, \"x\\n\\u00e4\\ud83d\\ude00\\/\", true,false , null],\r\n\t\"b\":{}} "
        )
        let list = try #require(root["a"]?.elements)
        #expect(list.count == 6)
        #expect(list[0].integer(Int.self) == 1)
        if case .number(let text) = list[1].content { #expect(text == "-2.5e+3") }
        #expect(list[1].integer(Int.self) == nil)
        #expect(list[2].string == "x\nä😀/")
        if case .bool(let isTrue) = list[3].content { #expect(isTrue) } else { Issue.record() }
        if case .bool(let isTrue) = list[4].content { #expect(!isTrue) } else { Issue.record() }
        if case .null = list[5].content {} else { Issue.record() }
        #expect(root["b"]?.members?.isEmpty == true)
        #expect(root["c"] == nil && list[0]["c"] == nil)
        #expect(try value("{\"a\":null}")["a"] == nil)
    }

    @Test func placesAreThoseOfTheDocument() throws {
        let text = "{ \"a\" : \"\\u0041b\" ,\"c\": [ 12 ] }"
        let root = try value(text)
        let bytes = Array(text.utf8)
        let string = try #require(root["a"])
        #expect(String(decoding: bytes[string.place], as: UTF8.self) == "\"\\u0041b\"")
        #expect(string.string == "Ab")
        let number = try #require(root["c"]?.elements?.first)
        #expect(String(decoding: bytes[number.place], as: UTF8.self) == "12")
        #expect(root.place == 0 ..< bytes.count)
    }

    @Test func numbersThatDoNotFitAreNone() throws {
        #expect(try value("18446744073709551615").integer(UInt64.self) == .max)
        #expect(try value("18446744073709551616").integer(UInt64.self) == nil)
        #expect(try value("-1").integer(UInt64.self) == nil)
        #expect(try value("1.0").integer(Int.self) == nil)
        #expect(try value("\"1\"").integer(Int.self) == nil)
    }

    @Test(arguments: [
        "", " ", "{", "[", "[1", "[1,]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "[1 2]",
        "1 2",
        "nul", "tru", "True", "+1", "01", "1.", ".5", "1e", "-", "0x1", "NaN", "'a'", "\"a", "\"\\",
        "\"\\x\"",
        "\"\\u12\"", "\"\\u12g4\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"a\nb\"",
        "\"\u{1}\"",
        "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}", "[]]", "{}x", "//", "\u{feff}{}",
    ])
    func whatIsNoJSONIsRefused(text: String) {
        #expect(throws: ParseError.self) { try value(text) }
    }

    @Test func whatIsNoUTF8IsRefused() {
        #expect(throws: ParseError.self) { try JSONValue(parsing: [0x22, 0xff, 0x22]) }
        #expect(throws: ParseError.self) { try JSONValue(parsing: [0x22, 0xed, 0xa0, 0x80, 0x22]) }
    }

    @Test func depthAndNumberAreBounded() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        _ = try value(nested(JSONValue.deepest))
        #expect(throws: ParseError.self) { try value(nested(JSONValue.deepest + 1)) }
        #expect(throws: ParseError.self) { try value(String(repeating: "[", count: 1_000_000)) }
        func list(_ count: Int) -> String {
            "[" + Array(repeating: "1", count: count).joined(separator: ",") + "]"
        }
        _ = try value(list(JSONValue.mostValues - 1))
        #expect(throws: ParseError.self) { try value(list(JSONValue.mostValues)) }
    }

    /// Whatever is cut off or changed, it ends with a value or an error.
    @Test func mutationsDoNoHarm() {
        let bytes = Array(
            "{\"a\":[1,-2.5e3,\"x\\u00e4\\ud83d\\ude00\",true,null],\"b\":{\"c\":\"d\"}}".utf8)
        for end in bytes.indices {
            #expect(throws: ParseError.self) { try JSONValue(parsing: Array(bytes[..<end])) }
            for byte in [0, 0x22, 0x5b, 0x5c, 0x7d, 0x2c, 0x75, 0xff] as [UInt8] {
                var changed = bytes
                changed[end] = byte
                _ = try? JSONValue(parsing: changed)
            }
        }
    }
}
