/// Whether `name` is `expected` (lower-case ASCII) in any case.
package func equalsIgnoringCase(_ name: Span<UInt8>, _ expected: StaticString) -> Bool {
    name.count == expected.utf8CodeUnitCount && hasPrefixIgnoringCase(name, expected)
}

/// Whether `name` begins with `prefix` (lower-case ASCII) in any case.
package func hasPrefixIgnoringCase(_ name: Span<UInt8>, _ prefix: StaticString) -> Bool {
    guard name.count >= prefix.utf8CodeUnitCount else { return false }
    for index in 0 ..< prefix.utf8CodeUnitCount
    where lowercased(name[index]) != prefix.utf8Start[index] { return false }
    return true
}

package func lowercased(_ byte: UInt8) -> UInt8 {
    (0x41 ... 0x5a).contains(byte) ? byte | 0x20 : byte
}
