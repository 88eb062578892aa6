/// libFuzzer's own mutation of the first `size` of `capacity` bytes; says how many there are then.
@_silgen_name("LLVMFuzzerMutate")
private func mutateInPlace(
    _ data: UnsafeMutablePointer<UInt8>, _ size: Int, _ capacity: Int
) -> Int

/// Bytes as libFuzzer mutates them, no more than `capacity`.
public func mutated(_ bytes: [UInt8], capacity: Int) -> [UInt8] {
    let capacity = max(capacity, bytes.count, 1)
    return [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
        _ = buffer.update(fromContentsOf: bytes)
        count = buffer.baseAddress.map { mutateInPlace($0, bytes.count, capacity) } ?? 0
    }
}

/// Puts `bytes` in the place of the input, if there is room; says how many bytes the input has then.
public func replaceInput(
    _ data: UnsafeMutablePointer<UInt8>, _ size: Int, _ capacity: Int, with bytes: [UInt8]
) -> Int {
    guard bytes.count <= capacity else { return mutateInPlace(data, size, capacity) }
    data.update(from: bytes, count: bytes.count)
    return bytes.count
}
