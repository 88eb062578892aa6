/// Deltas by the letter of gitformat-pack, "Deltified representation", one byte at a time: slow, and
/// written apart from what it is held against.
public struct ReferenceDelta {
    public var baseSize: UInt64
    public var resultSize: UInt64
    public var instructions: [UInt8]

    /// nil where the sizes cannot be read, or the whole is shorter than Git takes.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count >= 4 else { return nil }
        var rest = bytes[...]
        guard let base = Self.size(&rest), let result = Self.size(&rest) else { return nil }
        baseSize = base
        resultSize = result
        instructions = Array(rest)
    }

    public init(instructions: [UInt8], on base: [UInt8]) {
        baseSize = UInt64(base.count)
        resultSize = 0
        self.instructions = instructions
        resultSize = UInt64(made(from: base)?.count ?? 0)
    }

    public var bytes: [UInt8] {
        Self.encoded(baseSize) + Self.encoded(resultSize) + instructions
    }

    /// What the delta makes of `base`; nil where it may make nothing.
    public func result(from base: [UInt8]) -> [UInt8]? {
        guard UInt64(base.count) == baseSize, let made = made(from: base),
            UInt64(made.count) == resultSize
        else { return nil }
        return made
    }

    /// Most bytes that are made here.
    public static let limit = 1 << 22

    /// What the instructions make, whatever sizes the delta declares.
    public func made(from base: [UInt8]) -> [UInt8]? {
        var out: [UInt8] = []
        var rest = instructions[...]
        while let opcode = rest.popFirst() {
            if opcode == 0 { return nil }
            if opcode < 0x80 {
                guard rest.count >= opcode else { return nil }
                out += rest.prefix(Int(opcode))
                rest = rest.dropFirst(Int(opcode))
            } else {
                guard let range = Self.range(opcode, &rest), range.upperBound <= base.count else {
                    return nil
                }
                out += base[range]
            }
            if out.count > Self.limit { return nil }
        }
        return out
    }

    private static func range(_ opcode: UInt8, _ rest: inout ArraySlice<UInt8>) -> Range<Int>? {
        var numbers = [0, 0]
        for bit in 0 ..< 7 where opcode & 1 << bit != 0 {
            guard let byte = rest.popFirst() else { return nil }
            let (number, place) = bit < 4 ? (0, bit) : (1, bit - 4)
            numbers[number] += Int(byte) << (8 * place)
        }
        let size = numbers[1] == 0 ? 0x10000 : numbers[1]
        return numbers[0] ..< numbers[0] + size
    }

    private static func size(_ rest: inout ArraySlice<UInt8>) -> UInt64? {
        var groups: [UInt8] = []
        while let byte = rest.popFirst() {
            groups.append(byte & 0x7f)
            if byte < 0x80 { return number(groups) }
        }
        return nil
    }

    /// nil for what does not fit 64 bits. Empty groups at the end do no harm but cost a place: no
    /// more than ten are taken.
    private static func number(_ groups: [UInt8]) -> UInt64? {
        guard groups.count <= 10 else { return nil }
        var value: UInt64 = 0
        for group in groups.reversed() {
            let (product, overflow) = value.multipliedReportingOverflow(by: 128)
            if overflow { return nil }
            value = product + UInt64(group)
        }
        return value
    }

    private static func encoded(_ size: UInt64) -> [UInt8] {
        var out: [UInt8] = []
        var rest = size
        repeat {
            out.append(UInt8(rest % 128) + (rest >= 128 ? 128 : 0))
            rest /= 128
        } while rest > 0
        return out
    }
}
