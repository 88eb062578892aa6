public import GitCore

// Version 0 and 1 (gitprotocol-capabilities): behind a NUL on the first line of the advertisement,
// `key` or `key=value`, separated by spaces. Version 2 (gitprotocol-v2, "Capability Advertisement"):
// a pkt-line each, `key` or `key=value`; the value of a command is a list of its features, separated
// by spaces.

/// What a server says it can do, in its order. Unknown keys are kept and do no harm.
public struct Capabilities: Sendable {
    private var entries: [(key: ByteString, value: ByteString?)] = []

    /// None.
    public init() {}

    /// From the list of version 0.
    ///
    /// - Throws: ``ParseError`` for a control character, or a value without a key.
    public init(spaceSeparated list: ByteString) throws(ParseError) {
        var offset = 0
        for item in list.split(0x20) {
            if !item.isEmpty { try append(item, at: offset) }
            offset += item.count + 1
        }
    }

    /// From one capability of version 2, without its LF.
    mutating func append(_ item: ByteString, at offset: Int = 0) throws(ParseError) {
        guard !item.bytes.contains(where: { $0 < 0x20 || $0 == 0x7f }) else {
            throw ParseError("control character in a capability", at: offset)
        }
        let equals = item.bytes.firstIndex(of: 0x3d)
        let key = item.bytes.prefix(upTo: equals ?? item.count)
        guard !key.isEmpty else { throw ParseError("capability without a name", at: offset) }
        let value = equals.map { ByteString(item.bytes.suffix(from: $0 + 1)) }
        entries.append((ByteString(key), value))
    }

    public var count: Int { entries.count }

    /// Whether `key` is there, with a value or without.
    public func has(_ key: ByteString) -> Bool { entries.contains { $0.key == key } }

    /// The value of the first `key` that has one.
    public func value(_ key: ByteString) -> ByteString? { values(key).first }

    /// The values of every `key`, in their order.
    public func values(_ key: ByteString) -> [ByteString] {
        entries.compactMap { $0.key == key ? $0.value : nil }
    }

    /// Whether `feature` is among those of a version 2 `command`: `shallow` in `fetch=shallow filter`.
    public func has(feature: ByteString, of command: ByteString) -> Bool {
        values(command).contains { $0.split(0x20).contains(feature) }
    }

    /// What the server says it is: `git/2.39.5`. For people, never for a decision.
    public var agent: ByteString? { value("agent") }

    /// The hash function of the ids in the advertisement: the first `object-format`, or SHA-1.
    ///
    /// - Throws: ``WireError/Code/unsupported`` for one that this library does not know.
    public func objectFormat() throws(WireError) -> ObjectFormat {
        guard let name = value("object-format") else { return .sha1 }
        guard let format = ObjectFormat(name: name.printable) else {
            throw WireError(.unsupported, "the server's object format '\(name)' is not known")
        }
        return format
    }

    /// Version 0's `symref=HEAD:refs/heads/main`, by the symbolic ref's name.
    ///
    /// Only targets that are well-formed and under `refs/` are taken; the rest (`HEAD:HEAD`, say) is
    /// as if it had not been said, so that what it names counts as an ordinary ref.
    public var symrefs: [RefName: RefName] {
        var symrefs: [RefName: RefName] = [:]
        for value in values("symref") {
            guard let colon = value.bytes.firstIndex(of: 0x3a),
                let name = RefName(ByteString(value.bytes.prefix(upTo: colon))),
                let target = RefName(symrefTarget: value.bytes.suffix(from: colon + 1))
            else { continue }
            symrefs[name] = target
        }
        return symrefs
    }
}

extension RefName {
    /// nil unless a symbolic ref from a peer may point to it: a well-formed name under `refs/`.
    init?(symrefTarget bytes: ArraySlice<UInt8>) {
        guard bytes.starts(with: "refs/".utf8) else { return nil }
        self.init(ByteString(bytes))
    }
}
