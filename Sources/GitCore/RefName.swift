/// The name of a ref that has passed Git's rules (git-check-ref-format): `HEAD`, `refs/heads/main`.
///
/// A name from the wire or from packed-refs becomes a path only through this type.
public struct RefName: Hashable, Comparable, Sendable {
    public let bytes: ByteString

    /// nil unless `name` is a full ref name: either under `refs/` with at least two components, or one
    /// component of capital letters and `_` such as `HEAD`.
    public init?(_ name: ByteString) {
        guard Self.isWellFormed(name) else { return nil }
        if name.bytes.contains(0x2f) {
            guard name.hasPrefix("refs/") else { return nil }
        } else {
            guard name.bytes.allSatisfy({ (0x41 ... 0x5a).contains($0) || $0 == 0x5f }) else {
                return nil
            }
        }
        bytes = name
    }

    public static let head = RefName(trusted: "HEAD")

    /// `refs/heads/<short>`, if that is well-formed.
    public static func branch(_ short: ByteString) -> RefName? {
        guard !short.hasPrefix("-"), short != "HEAD" else { return nil }
        return RefName("refs/heads/" + short)
    }

    private init(trusted name: ByteString) { bytes = name }

    public static func < (a: RefName, b: RefName) -> Bool { a.bytes < b.bytes }

    /// The name without `refs/heads/`, `refs/tags/`, `refs/remotes/` or `refs/`.
    public var short: ByteString {
        for prefix: ByteString in ["refs/heads/", "refs/tags/", "refs/remotes/", "refs/"]
        where bytes.hasPrefix(prefix) {
            return bytes.dropFirst(prefix.count)
        }
        return bytes
    }

    /// The rules of git-check-ref-format for a name of any number of components.
    public static func isWellFormed(_ name: ByteString) -> Bool {
        let bytes = name.bytes.span
        guard !bytes.isEmpty, bytes.count <= maximumLength else { return false }
        if bytes.count == 1, bytes[0] == 0x40 { return false }  // "@"
        var previous: UInt8 = 0x2f
        for index in bytes.indices {
            let byte = bytes[index]
            switch byte {
            // Controls, space, DEL and ~^:?*[ and the backslash.
            case 0 ..< 0x21, 0x7f, 0x7e, 0x5e, 0x3a, 0x3f, 0x2a, 0x5b, 0x5c: return false
            case 0x2f where previous == 0x2f || endsInLock(bytes, index): return false  // "//"
            case 0x2e where previous == 0x2e || previous == 0x2f: return false  // "..", "/."
            case 0x7b where previous == 0x40: return false  // "@{"
            default: break
            }
            previous = byte
        }
        return previous != 0x2f && previous != 0x2e && !endsInLock(bytes, bytes.count)
    }

    /// Whether a component that ends before `end` has the ending of a lock file.
    private static func endsInLock(_ bytes: Span<UInt8>, _ end: Int) -> Bool {
        // From the end, where most names differ.
        end >= 5 && bytes[end - 1] == 0x6b && bytes[end - 2] == 0x63 && bytes[end - 3] == 0x6f
            && bytes[end - 4] == 0x6c && bytes[end - 5] == 0x2e
    }

    /// Longest name taken, in bytes. Linux allows a path of 4,096; the folder and `.lock` need room.
    public static let maximumLength = 2_048
}

extension RefName: CustomStringConvertible {
    public var description: String { bytes.printable }
}
