import FuzzSupport
import GitCore

@testable import GitStore

/// A pack taken apart, to be changed and put together again with what is then wrong made right:
/// streams and their checksums, distances to bases, the sizes in deltas, the number of entries.
struct PackPieces {
    struct Entry {
        /// Which entry this is, wherever it goes.
        var name: Int
        var type: UInt8
        var size: UInt64
        var base: Base
        var stream: [UInt8]
        /// What the stream inflates to.
        var content: [UInt8]

        /// Changes the content, and with it the size and the stream.
        mutating func replaceContent(_ content: [UInt8], level: Int32 = 1) {
            self.content = content
            size = UInt64(content.count)
            let deflater = Deflater(level: level)
            stream = content.withUnsafeBytes { (try? deflater.deflate($0)) ?? [] }
        }
    }

    enum Base {
        case none
        /// The entry of this name, by its offset.
        case entry(Int)
        case distance(UInt64)
        case oid([UInt8])
    }

    let format: ObjectFormat
    var version: [UInt8] = [0, 0, 0, 2]
    /// nil for the right one.
    var count: UInt32?
    var entries: [Entry] = []
    private var nextName = 0

    /// What inflates to more is not taken apart, nor what follows it: that would take too long.
    private static let largest = 1 << 17

    // MARK: Taking apart

    /// As many entries as can be read.
    init(_ body: ArraySlice<UInt8>, _ format: ObjectFormat) {
        self.format = format
        guard body.count >= 12 else { return }
        version = Array(body.dropFirst(4).prefix(4))
        var names: [Int: Int] = [:]
        var position = 12
        let bytes = Array(body)
        while position < bytes.count, let (entry, length) = read(bytes, position, names) {
            names[position] = entry.name
            entries.append(entry)
            nextName += 1
            position += length
        }
    }

    private func read(
        _ bytes: [UInt8], _ position: Int, _ names: [Int: Int]
    ) -> (Entry, length: Int)? {
        bytes.withUnsafeBytes { all in
            let rest = UnsafeRawBufferPointer(rebasing: all[position...])
            guard let header = try? PackEntryHeader(parsing: rest, format),
                header.size <= Self.largest,
                let (content, length) = Self.inflate(
                    UnsafeRawBufferPointer(rebasing: rest[header.length...]))
            else { return nil }
            var (type, base) = (6 as UInt8, Base.none)
            switch header.base {
            case .none(let kind): type = kind.rawValue
            case .distance(let distance):
                let target = UInt64(position) &- distance
                base =
                    names[Int(truncatingIfNeeded: target)].map { .entry($0) } ?? .distance(distance)
            case .oid(let oid): (type, base) = (7, .oid(oid.rawBytes))
            }
            let end = header.length + length
            let entry = Entry(
                name: nextName, type: type, size: header.size, base: base,
                stream: Array(rest[header.length ..< end]), content: content)
            return (entry, end)
        }
    }

    private static func inflate(_ bytes: UnsafeRawBufferPointer) -> ([UInt8], length: Int)? {
        let stream = InflateStream()
        var content: [UInt8] = []
        var position = 0
        var output = [UInt8](repeating: 0, count: 1 << 14)
        while !stream.isFinished {
            let input = UnsafeRawBufferPointer(rebasing: bytes[position...])
            guard
                let step = output.withUnsafeMutableBytes({ try? stream.inflate(input, into: $0) }),
                step != (0, 0) || stream.isFinished, content.count <= largest
            else { return nil }
            position += step.consumed
            content += output.prefix(step.produced)
        }
        return (content, position)
    }

    // MARK: Changing

    mutating func insert(_ entry: Entry, at index: Int) {
        var entry = entry
        entry.name = nextName
        nextName += 1
        entries.insert(entry, at: index)
    }

    /// An entry that is no delta yet.
    func blob(_ content: [UInt8]) -> Entry {
        var entry = Entry(name: -1, type: 3, size: 0, base: .none, stream: [], content: [])
        entry.replaceContent(content)
        return entry
    }

    /// What each entry that can be resolved holds: its kind and content.
    func resolved() -> [(type: UInt8, content: [UInt8])?] {
        var byName: [Int: (type: UInt8, content: [UInt8])] = [:]
        var byID: [[UInt8]: (type: UInt8, content: [UInt8])] = [:]
        // A base by id may stand behind its delta: twice is enough for most.
        for _ in 0 ..< 2 {
            for entry in entries where byName[entry.name] == nil {
                guard let object = object(entry, byName, byID) else { continue }
                byName[entry.name] = object
                byID[oid(object)] = object
            }
        }
        return entries.map { byName[$0.name] }
    }

    func oid(_ object: (type: UInt8, content: [UInt8])) -> [UInt8] {
        let name = ObjectKind(rawValue: object.type)?.name ?? "?"
        var hasher = PlainHasher(format)
        hasher.update(Array("\(name) \(object.content.count)\0".utf8) + object.content)
        return hasher.finalize().rawBytes
    }

    private func object(
        _ entry: Entry, _ byName: [Int: (type: UInt8, content: [UInt8])],
        _ byID: [[UInt8]: (type: UInt8, content: [UInt8])]
    ) -> (type: UInt8, content: [UInt8])? {
        let base: (type: UInt8, content: [UInt8])?
        switch entry.base {
        case .none: return (1 ... 4).contains(entry.type) ? (entry.type, entry.content) : nil
        case .entry(let name): base = byName[name]
        case .oid(let oid): base = byID[oid]
        case .distance: return nil
        }
        guard let base, let delta = ReferenceDelta(entry.content),
            let content = delta.made(from: base.content)
        else { return nil }
        return (base.type, content)
    }

    /// Makes both sizes right in every delta whose base is known.
    mutating func repairDeltas() {
        let objects = resolved()
        let places = Dictionary(
            uniqueKeysWithValues: entries.indices.map { (entries[$0].name, $0) })
        var byID: [[UInt8]: [UInt8]] = [:]
        for case let object? in objects { byID[oid(object)] = object.content }
        for index in entries.indices {
            let base: [UInt8]?
            switch entries[index].base {
            case .entry(let name): base = places[name].flatMap { objects[$0]?.content }
            case .oid(let oid): base = byID[oid]
            case .none, .distance: base = nil
            }
            guard let base, let delta = ReferenceDelta(entries[index].content) else { continue }
            let repaired = ReferenceDelta(instructions: delta.instructions, on: base).bytes
            if repaired != entries[index].content { entries[index].replaceContent(repaired) }
        }
    }

    // MARK: Putting together

    /// Header and entries, without a trailer.
    func body() -> [UInt8] {
        let count = count ?? UInt32(entries.count)
        var out = Array("PACK".utf8) + version
        out += withUnsafeBytes(of: count.bigEndian) { Array($0) }
        var offsets: [Int: Int] = [:]
        for entry in entries {
            let offset = out.count
            offsets[entry.name] = offset
            out += Self.header(entry.type, entry.size)
            switch entry.base {
            case .none: break
            case .entry(let name): out += Self.distance(UInt64(offset - (offsets[name] ?? 0)))
            case .distance(let distance): out += Self.distance(distance)
            case .oid(let oid): out += oid
            }
            out += entry.stream
        }
        return out
    }

    private static func header(_ type: UInt8, _ size: UInt64) -> [UInt8] {
        var out = [type << 4 | UInt8(size & 15)]
        var rest = size >> 4
        while rest > 0 {
            out[out.count - 1] |= 0x80
            out.append(UInt8(rest & 0x7f))
            rest >>= 7
        }
        return out
    }

    private static func distance(_ distance: UInt64) -> [UInt8] {
        var out = [UInt8(distance & 0x7f)]
        var rest = distance >> 7
        while rest > 0 {
            rest -= 1
            out.insert(UInt8(rest & 0x7f) | 0x80, at: 0)
            rest >>= 7
        }
        return out
    }
}
