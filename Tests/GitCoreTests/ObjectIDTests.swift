import Testing

@testable import GitCore

@Suite struct ObjectIDTests {
    private func digits(_ format: ObjectFormat) -> [UInt8] {
        Array((String(repeating: "0123456789abcdefABCDEF", count: 3)).utf8.prefix(format.hexCount))
    }

    @Test(arguments: ObjectFormat.allCases) func hexOfEitherCase(format: ObjectFormat) throws {
        let text = digits(format)
        let parsed = ObjectID(hex: text.span, format)
        let oid = try #require(parsed)
        #expect(oid.hex == String(decoding: text, as: UTF8.self).lowercased())
        #expect(oid.rawBytes.starts(with: [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xab]))
        for wrong in [Array(text.dropLast()), text + [0x30], []] {
            let oid = ObjectID(hex: wrong.span, format)
            #expect(oid == nil)
        }
    }

    @Test(arguments: ObjectFormat.allCases) func everyByteInEveryPlace(format: ObjectFormat) {
        for place in 0 ..< format.hexCount {
            for byte in UInt8.min ... .max {
                var text = digits(format)
                text[place] = byte
                let value = Character(Unicode.Scalar(byte)).hexDigitValue
                let oid = ObjectID(hex: text.span, format)
                let digit = oid.map { oid in
                    let pair = oid.rawBytes[place / 2]
                    return Int(place % 2 == 0 ? pair >> 4 : pair & 15)
                }
                #expect(digit == (byte < 0x80 ? value : nil))
            }
        }
    }
}
