// Deltas, held against ReferenceDelta. An input:
//
//     1 byte     bit 0: repair the two sizes, so that the instructions are reached
//     2 bytes    length of the base, little-endian
//     the base, the delta

import FuzzSupport
import GitCore

@testable import GitStore

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    guard input.count >= 3 else { return 0 }
    let rest = input[3...]
    let base = Array(rest.prefix(Int(input[1]) | Int(input[2]) << 8))
    var delta = Array(rest.dropFirst(base.count))
    if input[0] & 1 != 0, let read = ReferenceDelta(delta) {
        delta = ReferenceDelta(instructions: read.instructions, on: base).bytes
    }
    compare(delta, base)
    return 0
}

private func compare(_ delta: [UInt8], _ base: [UInt8]) {
    let expected = ReferenceDelta(delta)
    if let expected, expected.resultSize > UInt64(ReferenceDelta.limit) { return }
    let made = exactly(delta) { bytes -> [UInt8]? in
        guard let read = try? Delta(parsing: bytes) else {
            expect(expected == nil, "sizes refused: \(delta)")
            return nil
        }
        expect(read.baseSize == expected?.baseSize, "base size \(read.baseSize): \(delta)")
        expect(read.resultSize == expected?.resultSize, "result size \(read.resultSize): \(delta)")
        return applied(read, base)
    }
    expect(made == expected?.result(from: base), "another result: \(delta) on \(base)")
}

private func applied(_ delta: Delta, _ base: [UInt8]) -> [UInt8]? {
    let result = UnsafeMutableRawBufferPointer.allocate(
        byteCount: Int(delta.resultSize), alignment: 1)
    defer { result.deallocate() }
    do {
        try exactly(base) { try delta.apply(to: $0, into: result) }
        return Array(result)
    } catch {
        return nil
    }
}
