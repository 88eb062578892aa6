#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// Ends the process where something is not as it must be: libFuzzer keeps the input.
public func expect(
    _ condition: @autoclosure () -> Bool, _ reason: @autoclosure () -> String,
    file: StaticString = #file, line: UInt = #line
) {
    if !condition() { fatalError(reason(), file: file, line: line) }
}

/// A variable of the environment.
public func environment(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
}

/// The numbers of one input: what it does not say itself is drawn from a seed, the same in every run
/// (SplitMix64).
public struct Draw: RandomNumberGenerator {
    private var state: UInt64

    public init(_ seed: some BinaryInteger) { state = UInt64(truncatingIfNeeded: seed) }

    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }

    /// A number from 0 to `bound` - 1.
    public mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(max(1, bound))) }

    /// One time in `times`.
    public mutating func once(in times: Int) -> Bool { below(times) == 0 }
}

/// The ways in which a stream may be cut into pieces: by the lowest three bits, mostly in one.
public func pieces(_ bytes: [UInt8], way: UInt8) -> [[UInt8]] {
    var draw = Draw(way)
    var pieces: [[UInt8]] = []
    var start = 0
    while start < bytes.count {
        let size =
            switch way & 7 {
            case oneByOne: 1
            case 6: 1 + draw.below(8)
            case 4, 5: 1 + draw.below(500)
            default: bytes.count
            }
        let end = min(bytes.count, start + size)
        pieces.append(Array(bytes[start ..< end]))
        start = end
    }
    return pieces
}

/// The way of cutting that makes each byte a piece.
public let oneByOne: UInt8 = 7

/// Bytes in memory of their own, without a byte to spare, so that the address sanitizer sees every
/// read past their end.
public func exactly<Result>(
    _ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws -> Result
) rethrows -> Result {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    defer { copy.deallocate() }
    copy.copyBytes(from: bytes)
    return try body(UnsafeRawBufferPointer(copy))
}
