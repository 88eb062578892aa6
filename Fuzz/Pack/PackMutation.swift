import FuzzSupport
import GitCore

@testable import GitStore

// Half of the inputs are mutated as bytes. The others are taken apart, one thing in them is changed,
// and they are put together again, so that the change is what is wrong and not a checksum.

@_cdecl("LLVMFuzzerCustomMutator")
public func customMutator(
    _ data: UnsafeMutablePointer<UInt8>, _ size: Int, _ capacity: Int, _ seed: UInt32
) -> Int {
    var draw = Draw(seed)
    let input = Array(UnsafeBufferPointer(start: data, count: size))
    guard !draw.once(in: 2) else {
        return replaceInput(data, size, capacity, with: mutated(input, capacity: capacity))
    }
    var choices = Array(input.suffix(PackInput.choiceCount))
    let format: ObjectFormat = PackInput(input).format
    var pieces = PackPieces(input.dropLast(PackInput.choiceCount), format)
    if draw.once(in: 8), !choices.isEmpty {
        choices[draw.below(choices.count)] = UInt8(truncatingIfNeeded: draw.next())
    }
    for _ in 0 ... draw.below(3) { pieces.change(&draw) }
    if !draw.once(in: 4) { pieces.repairDeltas() }
    return replaceInput(data, size, capacity, with: pieces.body() + choices)
}

/// Entries of one pack among those of another.
@_cdecl("LLVMFuzzerCustomCrossOver")
public func customCrossOver(
    _ first: UnsafePointer<UInt8>, _ firstSize: Int, _ second: UnsafePointer<UInt8>,
    _ secondSize: Int, _ out: UnsafeMutablePointer<UInt8>, _ capacity: Int, _ seed: UInt32
) -> Int {
    var draw = Draw(seed)
    let input = Array(UnsafeBufferPointer(start: first, count: firstSize))
    let other = Array(UnsafeBufferPointer(start: second, count: secondSize))
    let format = PackInput(input).format
    var pieces = PackPieces(input.dropLast(PackInput.choiceCount), format)
    for entry in PackPieces(other.dropLast(PackInput.choiceCount), format).entries
    where draw.once(in: 2) {
        pieces.insert(entry, at: draw.below(pieces.entries.count + 1))
    }
    let bytes = pieces.body() + input.suffix(PackInput.choiceCount)
    guard bytes.count <= capacity else { return 0 }
    out.update(from: bytes, count: bytes.count)
    return bytes.count
}

extension PackPieces {
    private static let edges: [UInt64] = [
        0, 1, 15, 16, 127, 128, 1 << 11, 1 << 16, 1 << 22, 1 << 22 + 1, 1 << 31, 1 << 32, 1 << 60,
        .max,
    ]

    /// Contents over this are not mutated, in bytes.
    private static let mutable = 1 << 14

    /// Changes one thing.
    mutating func change(_ draw: inout Draw) {
        guard !entries.isEmpty else { return insert(blob([1, 2, 3]), at: 0) }
        let index = draw.below(entries.count)
        switch draw.below(16) {
        case 0 ... 3: mutateContent(index)
        case 4: entries[index].type = UInt8(draw.below(8))
        case 5: changeSize(index, &draw)
        case 6: changeDistance(index, &draw)
        case 7: nameBase(index, &draw)
        case 8: insert(entries[draw.below(entries.count)], at: index)
        case 9: entries.remove(at: index)
        case 10: entries.swapAt(index, draw.below(entries.count))
        case 11:
            entries[index].replaceContent(
                entries[index].content, level: Int32(1 + draw.below(12)))
        case 12:
            let capacity = entries[index].stream.count + 16
            entries[index].stream = mutated(entries[index].stream, capacity: capacity)
        case 13: count = draw.once(in: 2) ? UInt32(truncatingIfNeeded: draw.next()) : nil
        default: insertDelta(on: index, &draw)
        }
    }

    private mutating func mutateContent(_ index: Int) {
        let content = entries[index].content
        guard content.count <= Self.mutable else { return }
        entries[index].replaceContent(mutated(content, capacity: content.count + 64))
    }

    private mutating func changeSize(_ index: Int, _ draw: inout Draw) {
        let near = entries[index].size &+ UInt64(draw.below(5)) &- 2
        entries[index].size = draw.once(in: 2) ? near : Self.edges[draw.below(Self.edges.count)]
    }

    private mutating func changeDistance(_ index: Int, _ draw: inout Draw) {
        entries[index].type = 6
        entries[index].base =
            draw.once(in: 3)
            ? .distance(Self.edges[draw.below(Self.edges.count)])
            : .entry(entries[draw.below(entries.count)].name)
    }

    /// Makes an entry a delta on some object's id.
    private mutating func nameBase(_ index: Int, _ draw: inout Draw) {
        entries[index].type = 7
        let objects = resolved().compactMap { $0 }
        guard !objects.isEmpty, !draw.once(in: 8) else {
            entries[index].base = .oid([UInt8](repeating: 7, count: format.byteCount))
            return
        }
        entries[index].base = .oid(oid(objects[draw.below(objects.count)]))
    }

    private mutating func insertDelta(on index: Int, _ draw: inout Draw) {
        guard let base = resolved()[index]?.content else { return }
        var instructions: [UInt8] = []
        for _ in 0 ... draw.below(4) {
            if draw.once(in: 3) {
                let count = 1 + draw.below(8)
                instructions += [UInt8(count)]
                instructions += (0 ..< count).map { _ in UInt8(truncatingIfNeeded: draw.next()) }
            } else {
                let start = draw.below(min(base.count, 1 << 16))
                let size = 1 + draw.below(min(base.count - start, 1 << 16))
                instructions += [
                    0xb3, UInt8(start & 255), UInt8(start >> 8), UInt8(size & 255),
                    UInt8(size >> 8 & 255),
                ]
            }
        }
        // Deltas that large are not kept in memory between the two passes.
        if draw.once(in: 16) {
            for _ in 0 ..< 600 { instructions += [127] + [UInt8](repeating: 0, count: 127) }
        }
        var entry = blob(ReferenceDelta(instructions: instructions, on: base).bytes)
        entry.type = 6
        entry.base = .entry(entries[index].name)
        insert(entry, at: index + 1 + draw.below(entries.count - index))
        if draw.once(in: 3), let object = resolved()[index] {
            entries[index + 1].type = 7
            entries[index + 1].base = .oid(oid(object))
        }
    }
}
