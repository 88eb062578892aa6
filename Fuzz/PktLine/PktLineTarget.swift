// pkt-lines and what is spoken in them: whatever pieces the bytes come in, the same is understood, and
// where they are refused, for the same reason. An input:
//
//     1 byte      which decoder (Subject)
//     1 byte      the way in which it is cut into pieces
//     20 bytes    an id: what a fetch said it has, wants and is shallow at
//     the server's bytes

import FuzzSupport
import GitCore

@testable import GitWire

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    guard input.count >= 22 else { return 0 }
    let subject = Subject(input[0], ObjectID(raw: Array(input[2 ..< 22]).span, .sha1))
    let bytes = Array(input[22...])
    let whole = subject.understood([bytes])
    let drips = subject.understood(pieces(bytes, way: oneByOne))
    expect(whole == drips, "byte by byte: \(drips); at once: \(whole)")
    let cut = subject.understood(pieces(bytes, way: input[1]))
    expect(whole == cut, "in pieces: \(cut); at once: \(whole)")
    return 0
}
