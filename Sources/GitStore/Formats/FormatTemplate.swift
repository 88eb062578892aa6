// A format, as `cat-file --batch=` and `for-each-ref --format=` take it (git-for-each-ref, "FIELD
// NAMES"):
//
//     %(name)   the value of a field
//     %%        a percent sign
//     %0a       the byte of that value, in for-each-ref
//     others    themselves

public import GitCore

/// A format, read once and filled in for many objects or refs.
public struct FormatTemplate: Sendable {
    enum Piece: Hashable, Sendable {
        case literal([UInt8])
        case field(String)
    }

    let pieces: [Piece]

    /// - Parameter readsHexBytes: whether `%0a` stands for a byte.
    /// - Throws: ``ParseError`` where a `%(` has no `)`.
    public init(
        _ text: ByteString, readsHexBytes: Bool = false
    ) throws(ParseError) {
        var pieces: [Piece] = []
        var literal: [UInt8] = []
        var rest = text.bytes[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%"), let next = rest.first else {
                literal.append(byte)
                continue
            }
            if next == UInt8(ascii: "(") {
                guard let end = rest.firstIndex(of: UInt8(ascii: ")")) else {
                    throw ParseError("field without )", at: rest.startIndex)
                }
                if !literal.isEmpty { pieces.append(.literal(literal)) }
                literal = []
                pieces.append(
                    .field(String(decoding: rest[(rest.startIndex + 1) ..< end], as: UTF8.self)))
                rest = rest[(end + 1)...]
            } else if next == byte {
                literal.append(byte)
                rest.removeFirst()
            } else if readsHexBytes, let value = Self.hexByte(rest.prefix(2)) {
                literal.append(value)
                rest.removeFirst(2)
            } else {
                literal.append(byte)
            }
        }
        if !literal.isEmpty { pieces.append(.literal(literal)) }
        self.pieces = pieces
    }

    /// The names of the fields, in order.
    public var fields: [String] {
        pieces.compactMap { if case .field(let name) = $0 { name } else { nil } }
    }

    /// The text, with each field's bytes as `value` gives them.
    public func expanded<Failure: Error>(
        _ value: (String) throws(Failure) -> ByteString
    ) throws(Failure) -> ByteString {
        var out: [UInt8] = []
        for piece in pieces {
            switch piece {
            case .literal(let bytes): out += bytes
            case .field(let name): out += try value(name).bytes
            }
        }
        return ByteString(out)
    }

    private static func hexByte(_ digits: ArraySlice<UInt8>) -> UInt8? {
        guard digits.count == 2, digits.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit })
        else { return nil }
        return UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
    }
}
