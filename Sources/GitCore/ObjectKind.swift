/// The four kinds of object; the raw value is the type number of a pack entry
/// (gitformat-pack, "Object types").
public enum ObjectKind: UInt8, Sendable, CaseIterable {
    case commit = 1
    case tree = 2
    case blob = 3
    case tag = 4

    /// As object headers, tags and commands spell it.
    public var name: String {
        switch self {
        case .commit: "commit"
        case .tree: "tree"
        case .blob: "blob"
        case .tag: "tag"
        }
    }

    public init?(name: some Sequence<UInt8>) {
        let name = Array(name)
        guard let kind = Self.allCases.first(where: { Array($0.name.utf8) == name }) else {
            return nil
        }
        self = kind
    }

    /// What is hashed, and stored in a loose object, before the content: `blob 12\0`.
    public func header(size: UInt64) -> [UInt8] { Array("\(name) \(size)\0".utf8) }
}

/// An object whole in memory: its kind and its content without the header.
public struct GitObject: Sendable, Hashable {
    public let kind: ObjectKind
    public let content: [UInt8]

    public init(kind: ObjectKind, content: [UInt8]) {
        self.kind = kind
        self.content = content
    }
}
