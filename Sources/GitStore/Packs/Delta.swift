// A delta (gitformat-pack, "Deltified representation"):
//
//     size of the base, size of the result: seven bits a byte, lowest first, bit 7 "more follows"
//     instructions, until the end:
//         1xxxxxxx   copy: bits 0-3 say which of four offset bytes follow, bits 4-6 which of three
//                    size bytes; both little-endian; a size of 0 means 0x10000
//         0nnnnnnn   insert the next n bytes, n from 1 to 127; 0 is reserved

internal import GitCore

/// A delta in memory.
struct Delta {
    let baseSize: UInt64
    let resultSize: UInt64
    private let instructions: UnsafeRawBufferPointer

    /// Git takes no delta for one that is shorter, in bytes.
    static let minimumLength = 4

    /// Reads the two sizes. The bytes must stay where they are while the delta is in use.
    init(parsing bytes: UnsafeRawBufferPointer) throws(ParseError) {
        guard bytes.count >= Self.minimumLength else {
            throw ParseError("delta is too short", at: bytes.count)
        }
        var position = 0
        baseSize = try Self.size(bytes, &position)
        resultSize = try Self.size(bytes, &position)
        instructions = UnsafeRawBufferPointer(rebasing: bytes[position...])
    }

    private static func size(
        _ bytes: UnsafeRawBufferPointer, _ position: inout Int
    ) throws(ParseError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            guard position < bytes.count else { throw ParseError("truncated delta", at: position) }
            let byte = bytes[position]
            position += 1
            let bits = UInt64(byte & 0x7f)
            guard shift < 64, (bits << shift) >> shift == bits else {
                throw ParseError("delta size does not fit 64 bits", at: position)
            }
            value |= bits << shift
            if byte & 0x80 == 0 { return value }
            shift += 7
        }
    }

    /// Builds the result from `base` into `result`, which must have ``resultSize`` bytes.
    ///
    /// - Parameter slack: bytes behind both the base and the result that may be read and written: short
    ///   pieces are then copied by whole vectors.
    /// - Throws: ``ParseError`` for a copy outside the base, a result of another size, the reserved
    ///   instruction, or a base of another size than the delta names.
    func apply(
        to base: UnsafeRawBufferPointer, into result: UnsafeMutableRawBufferPointer, slack: Int = 0
    ) throws(ParseError) {
        guard UInt64(base.count) == baseSize else {
            throw ParseError("delta is for a base of \(baseSize) bytes, not \(base.count)", at: 0)
        }
        guard UInt64(result.count) == resultSize else {
            throw ParseError("delta result has another size", at: 0)
        }
        let isWide = slack >= MemoryLayout<Wide>.size
        var written = 0
        try forEachInstruction { instruction, end throws(ParseError) in
            let source: UnsafeRawBufferPointer
            var copiesWide = isWide
            switch instruction {
            case .copy(let offset, let size):
                guard size <= base.count, offset <= base.count &- size else {
                    throw ParseError("copy outside the delta's base", at: end)
                }
                source = UnsafeRawBufferPointer(rebasing: base[offset ..< offset &+ size])
            case .insert(let bytes):
                source = bytes
                // Nothing may be read behind the delta's end.
                copiesWide = isWide && end &+ MemoryLayout<Wide>.size <= instructions.count
            }
            guard source.count <= result.count &- written else {
                throw ParseError("delta makes more than it declares", at: end)
            }
            // SAFETY: both ranges were checked above; base and result are different buffers, and what is
            // copied too much lies within the slack or is overwritten.
            let (from, to) = (
                source.baseAddress.unsafelyUnwrapped,
                result.baseAddress.unsafelyUnwrapped.advanced(by: written)
            )
            if copiesWide, source.count <= MemoryLayout<Wide>.size {
                to.storeBytes(of: from.loadUnaligned(as: Wide.self), as: Wide.self)
            } else {
                to.copyMemory(from: from, byteCount: source.count)
            }
            written &+= source.count
        }
        guard written == result.count else {
            throw ParseError("delta makes less than it declares", at: instructions.count)
        }
    }

    /// What short pieces are copied in.
    private typealias Wide = SIMD64<UInt8>

    /// One step of a delta.
    enum Instruction {
        /// Of bytes of the base, which may not have them.
        case copy(offset: Int, size: Int)
        case insert(UnsafeRawBufferPointer)
    }

    /// Hands over the instructions one by one, each with where it ends.
    ///
    /// Inlined, so that ``apply(to:into:)`` is one loop.
    ///
    /// - Throws: ``ParseError`` for one that is cut short or is the reserved one.
    @inline(__always)
    func forEachInstruction(
        _ body: (Instruction, Int) throws(ParseError) -> Void
    ) throws(ParseError) {
        var position = 0
        let count = instructions.count
        while position < count {
            let opcode = instructions[position]
            position &+= 1
            if opcode & 0x80 != 0 {
                var (offset, size) = (0, 0)
                // One check for up to seven argument bytes.
                guard count &- position >= (opcode & 0x7f).nonzeroBitCount else {
                    throw ParseError("truncated copy in delta", at: position)
                }
                if opcode & 0x01 != 0 { offset = Int(instructions[position]); position &+= 1 }
                if opcode & 0x02 != 0 { offset |= Int(instructions[position]) << 8; position &+= 1 }
                if opcode & 0x04 != 0 {
                    offset |= Int(instructions[position]) << 16; position &+= 1
                }
                if opcode & 0x08 != 0 {
                    offset |= Int(instructions[position]) << 24; position &+= 1
                }
                if opcode & 0x10 != 0 { size = Int(instructions[position]); position &+= 1 }
                if opcode & 0x20 != 0 { size |= Int(instructions[position]) << 8; position &+= 1 }
                if opcode & 0x40 != 0 { size |= Int(instructions[position]) << 16; position &+= 1 }
                if size == 0 { size = 0x10000 }
                try body(.copy(offset: offset, size: size), position)
            } else {
                let size = Int(opcode)
                guard size > 0 else { throw ParseError("reserved delta instruction", at: position) }
                guard size <= count &- position else {
                    throw ParseError("truncated insert in delta", at: position)
                }
                let bytes = instructions[position ..< position &+ size]
                position &+= size
                try body(.insert(UnsafeRawBufferPointer(rebasing: bytes)), position)
            }
        }
    }
}
