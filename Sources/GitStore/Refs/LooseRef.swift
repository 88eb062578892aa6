import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

// A ref in a file of its own, `<git directory>/refs/heads/main` (gitrepository-layout, "refs"):
//
//     40 or 64 hex digits, then LF or any blank; what follows is passed over
// or
//     `ref:`, blanks, the name of a ref, LF           (a symbolic ref)
//
// In very old repositories HEAD is a symbolic link whose text is the name of a ref.

enum LooseRef {
    /// Longest file taken for a ref, in bytes. FETCH_HEAD has a line a branch and may be long.
    private static let maximumSize = 16 << 20

    /// What the file holds; nil where there is no file.
    ///
    /// - Throws: ``StoreError/Code/corrupt`` for a file that holds no ref.
    static func read(_ path: ByteString, _ format: ObjectFormat) throws(StoreError) -> Ref? {
        let content: [UInt8]
        do {
            // A named pipe in the place of a ref must not make this wait.
            let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK
            content = try File(path, flags).readToEnd(limit: maximumSize)
        } catch {
            switch error.systemError {
            case ENOENT, ENOTDIR, EISDIR: return nil
            case ELOOP, EMLINK: return try readLink(path)
            default: throw error
            }
        }
        guard let ref = parse(content, format) else {
            throw StoreError(.corrupt, "'\(path)' holds no ref")
        }
        return ref
    }

    static func parse(_ content: [UInt8], _ format: ObjectFormat) -> Ref? {
        if content.starts(with: Array("ref:".utf8)) {
            let target = content.dropFirst(4).drop(while: isBlank)
            let end = target.lastIndex { !isBlank($0) }.map { $0 + 1 } ?? target.startIndex
            return symbolic(ByteString(target[..<end]))
        }
        guard content.count >= format.hexCount,
            let oid = ObjectID(hex: content.span.extracting(first: format.hexCount), format),
            content.count == format.hexCount || isBlank(content[format.hexCount])
        else { return nil }
        return .direct(oid)
    }

    /// The bytes of a file that holds `ref`.
    static func encode(_ ref: Ref) -> [UInt8] {
        switch ref {
        case .direct(let oid): oid.hexBytes + [0x0a]
        case .symbolic(let name): Array("ref: ".utf8) + name.bytes.bytes + [0x0a]
        }
    }

    /// A symbolic ref leads into `refs/` only: one to `HEAD` could lead to itself, and one to a file
    /// elsewhere would take what that file holds for a ref.
    private static func symbolic(_ name: ByteString) -> Ref? {
        guard name.hasPrefix("refs/"), let target = RefName(name) else { return nil }
        return .symbolic(target)
    }

    private static func readLink(_ path: ByteString) throws(StoreError) -> Ref {
        let count = RefName.maximumLength + 1
        var text = [UInt8](repeating: 0, count: count)
        let length = text.withUnsafeMutableBytes { buffer in
            // SAFETY: the array has `count` bytes, more than none, so it has a base address.
            let base = buffer.assumingMemoryBound(to: CChar.self).baseAddress.unsafelyUnwrapped
            return path.withCString { readlink($0, base, count) }
        }
        guard length >= 0 else { throw .system("read link", path) }
        guard let ref = symbolic(ByteString(text[..<length])) else {
            throw StoreError(.corrupt, "'\(path)' is a symbolic link to something other than a ref")
        }
        return ref
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == 0x20 || (0x09 ... 0x0d).contains(byte)
    }
}
