public import GitCore

extension ByteString {
    /// This path as seen from `directory` (with `/` at its end, or empty for the top): what is not in
    /// it begins with as many `../` as lead out. Both are relative to one top.
    public func relative(to directory: ByteString) -> ByteString {
        // A directory that this one is in, or is: the way up to it, without its name.
        if !isEmpty, directory.hasPrefix(self + "/") {
            return (self + "/").relative(to: directory)
        }
        var shared = 0
        for (index, byte) in directory.bytes.enumerated() {
            guard index < bytes.count, bytes[index] == byte else { break }
            if byte == 0x2f { shared = index + 1 }
        }
        let up = directory.bytes[shared...].count { $0 == 0x2f }
        let steps = ByteString(Array(repeating: Array("../".utf8), count: up).flatMap { $0 })
        let rest = dropFirst(shared)
        return rest.isEmpty && up == 0 ? "./" : steps + rest
    }
}
