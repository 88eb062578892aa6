import GitCore
import Testing

@testable import GitStore

/// A pack of git's taken apart, so that one field of it can be set to something else while all that
/// follows from the others stays right: offsets of bases, checksums of streams, the trailer.
struct PackParts {
    struct Entry {
        var type: UInt8
        /// As the header declares it.
        var size: UInt64
        var base: Base
        /// What the stream inflates to.
        var content: [UInt8]
    }

    enum Base {
        case none
        /// The entry of this number, by its offset.
        case entry(Int)
        case distance(UInt64)
        case oid([UInt8])
    }

    var entries: [Entry] = []

    init(_ pack: [UInt8]) throws {
        var numbers: [UInt64: Int] = [:]
        let end = pack.count - ObjectFormat.sha1.byteCount
        var position = PackHeader.length
        while position < end {
            let (entry, length) = try pack[position ..< end].withUnsafeBytes { bytes in
                try Self.read(bytes, at: UInt64(position), numbers)
            }
            numbers[UInt64(position)] = entries.count
            entries.append(entry)
            position += length
        }
    }

    private static func read(
        _ bytes: UnsafeRawBufferPointer, at offset: UInt64, _ numbers: [UInt64: Int]
    ) throws -> (Entry, length: Int) {
        let header = try PackEntryHeader(parsing: bytes, .sha1)
        var content = [UInt8](repeating: 0, count: Int(header.size))
        let stream = UnsafeRawBufferPointer(rebasing: bytes[header.length...])
        let taken = content.withUnsafeMutableBytes { Inflater().inflate(stream, into: $0) }
        let length = try header.length + #require(taken)
        let (type, base): (UInt8, Base) =
            switch header.base {
            case .none(let kind): (kind.rawValue, .none)
            case .distance(let distance): (6, .entry(try #require(numbers[offset - distance])))
            case .oid(let oid): (7, .oid(oid.rawBytes))
            }
        return (Entry(type: type, size: header.size, base: base, content: content), length)
    }

    /// The pack, its trailer right.
    func pack(version: UInt32 = 2, count: UInt32? = nil) -> [UInt8] {
        var builder = PackBuilder(version: version)
        for entry in entries {
            let base: [UInt8] =
                switch entry.base {
                case .none: []
                case .entry(let number):
                    PackBuilder.distance(UInt64(builder.bytes.count) - builder.offsets[number])
                case .distance(let distance): PackBuilder.distance(distance)
                case .oid(let oid): oid
                }
            builder.entry(
                type: entry.type, size: entry.size, base: base, stream: zlib(entry.content))
        }
        return builder.finished(count: count)
    }

    /// Where each entry begins.
    var offsets: [UInt64] {
        var parts = self
        return entries.indices.map { number in
            parts.entries = Array(entries[..<number])
            return UInt64(parts.pack().count - ObjectFormat.sha1.byteCount)
        }
    }
}

/// A delta taken apart in the same way.
struct DeltaParts {
    enum Instruction: Equatable {
        case copy(offset: UInt32, size: UInt32)
        case insert([UInt8])
        /// Bytes of any kind.
        case raw([UInt8])
    }

    var baseSize: UInt64
    var resultSize: UInt64
    var instructions: [Instruction] = []

    init(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        baseSize = try Self.size(&rest)
        resultSize = try Self.size(&rest)
        while let opcode = rest.popFirst() {
            guard opcode & 0x80 != 0 else {
                instructions.append(.insert(Array(rest.prefix(Int(opcode)))))
                rest = rest.dropFirst(Int(opcode))
                continue
            }
            var arguments = [UInt32](repeating: 0, count: 7)
            for bit in 0 ..< 7 where opcode & 1 << bit != 0 {
                let byte = rest.popFirst()
                arguments[bit] = UInt32(try #require(byte))
            }
            let offset = (0 ..< 4).reduce(0) { $0 | arguments[$1] << UInt32(8 * $1) }
            let size = (4 ..< 7).reduce(0) { $0 | arguments[$1] << UInt32(8 * ($1 - 4)) }
            instructions.append(.copy(offset: offset, size: size == 0 ? 0x10000 : size))
        }
    }

    private static func size(_ rest: inout ArraySlice<UInt8>) throws -> UInt64 {
        var (size, shift) = (0 as UInt64, 0 as UInt64)
        while true {
            let next = rest.popFirst()
            let byte = try #require(next)
            size |= UInt64(byte & 0x7f) << shift
            shift += 7
            if byte < 0x80 { return size }
        }
    }

    var bytes: [UInt8] {
        instructions.reduce(DeltaBuilder(base: baseSize, result: resultSize)) {
            delta, instruction in
            switch instruction {
            case .copy(let offset, let size): delta.copying(offset, size)
            case .insert(let literal): delta.inserting(literal)
            case .raw(let bytes): delta.adding(bytes)
            }
        }.bytes
    }

    /// Bytes that the instructions make.
    var made: UInt64 {
        instructions.reduce(0) { made, instruction in
            switch instruction {
            case .copy(_, let size): made + UInt64(size == 0 ? 0x10000 : size)
            case .insert(let literal): made + UInt64(literal.count)
            case .raw: made
            }
        }
    }
}
