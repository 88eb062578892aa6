/// Any of the 256 bytes.
struct ByteSet: Hashable, Sendable {
    private var words: SIMD4<UInt64>

    static let all = ByteSet(words: SIMD4(repeating: .max))
    static let allButSlash: ByteSet = {
        var set = ByteSet()
        set.insert(0x2f)
        return set.inverted
    }()

    init() { words = .zero }

    private init(words: SIMD4<UInt64>) { self.words = words }

    func contains(_ byte: UInt8) -> Bool {
        words[Int(byte >> 6)] & 1 << UInt64(byte & 63) != 0
    }

    mutating func insert(_ byte: UInt8) { words[Int(byte >> 6)] |= 1 << UInt64(byte & 63) }

    var inverted: ByteSet { ByteSet(words: ~words) }

    func intersection(_ other: ByteSet) -> ByteSet { ByteSet(words: words & other.words) }
}

// A set of a pattern, after its '[':
//
//     ! or ^       at the start: the bytes that are not in it
//     ]            at the start: itself; elsewhere the end
//     a-z          a range, where the '-' is neither first nor last
//     [:alpha:]    a class of C's locale
//     \x           the byte x

extension ByteSet {
    /// Reads a set, whose `[` was just read from `rest`, with its `]`; nil where it does not end or has
    /// a class that is none.
    ///
    /// - Parameter ignoringCase: the bytes asked for will be lower case. As in Git, a range or a class
    ///   of capitals has them then, and a capital by itself has not.
    init?(bracket rest: inout ArraySlice<UInt8>, ignoringCase: Bool) {
        self.init()
        let isInverted = rest.first == 0x21 || rest.first == 0x5e
        if isInverted { rest.removeFirst() }
        var previous: UInt8?
        var isFirst = true
        while let byte = rest.popFirst() {
            if byte == 0x5d, !isFirst {
                if isInverted { self = inverted }
                return
            }
            isFirst = false
            if byte == 0x2d, let low = previous, let next = rest.first, next != 0x5d {
                guard let high = Self.member(&rest) else { return nil }
                if low <= high { insert(low ... high, ignoringCase) }
                previous = nil
            } else if byte == 0x5b, rest.first == 0x3a, let name = Self.className(rest) {
                guard let ranges = Self.members(ofClass: name) else { return nil }
                for range in ranges { insert(range, ignoringCase) }
                rest = rest.dropFirst(name.count + 3)
                previous = nil
            } else {
                var member = byte
                if byte == 0x5c {
                    guard let escaped = rest.popFirst() else { return nil }
                    member = escaped
                }
                insert(member)
                previous = member
            }
        }
        return nil
    }

    private mutating func insert(_ range: ClosedRange<UInt8>, _ ignoringCase: Bool) {
        for byte in range {
            insert(byte)
            if ignoringCase { insert(lowercased(byte)) }
        }
    }

    /// The next byte, or the one after a backslash.
    private static func member(_ rest: inout ArraySlice<UInt8>) -> UInt8? {
        guard let byte = rest.popFirst() else { return nil }
        return byte == 0x5c ? rest.popFirst() : byte
    }

    /// `alpha` where `rest` begins with `:alpha:]`; nil where there is no `:` before the next `]`.
    private static func className(_ rest: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard let end = rest.firstIndex(of: 0x5d), end > rest.startIndex + 1, rest[end - 1] == 0x3a
        else { return nil }
        return rest[(rest.startIndex + 1) ..< (end - 1)]
    }

    /// The members of a class of C's locale; nil for an unknown one.
    private static func members(ofClass name: ArraySlice<UInt8>) -> [ClosedRange<UInt8>]? {
        let (upper, lower, digits): (ClosedRange<UInt8>, ClosedRange<UInt8>, ClosedRange<UInt8>) = (
            0x41 ... 0x5a, 0x61 ... 0x7a, 0x30 ... 0x39
        )
        switch String(decoding: name, as: UTF8.self) {
        case "alnum": return [upper, lower, digits]
        case "alpha": return [upper, lower]
        case "blank": return [0x20 ... 0x20, 0x09 ... 0x09]
        case "cntrl": return [0x00 ... 0x1f, 0x7f ... 0x7f]
        case "digit": return [digits]
        case "graph": return [0x21 ... 0x7e]
        case "lower": return [lower]
        case "print": return [0x20 ... 0x7e]
        case "punct": return [0x21 ... 0x2f, 0x3a ... 0x40, 0x5b ... 0x60, 0x7b ... 0x7e]
        case "space": return [0x20 ... 0x20, 0x09 ... 0x0a, 0x0d ... 0x0d]
        case "upper": return [upper]
        case "xdigit": return [digits, 0x41 ... 0x46, 0x61 ... 0x66]
        default: return nil
        }
    }
}
