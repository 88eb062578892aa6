public import GitCore

// Version 0 and 1 (gitprotocol-pack, "Reference Discovery"), in pkt-lines:
//
//     # service=git-upload-pack LF  0000          over HTTP
//     version 1 LF                                version 1
//     <oid> SP <name> NUL <capabilities> LF       the first ref
//     <oid> SP <name> LF                          the others
//     <oid> SP <name> ^{} LF                      upload-pack: what an annotated tag peels to
//     <oid> SP .have LF                           receive-pack: an object that the server has besides
//     shallow SP <oid> LF
//     0000
//
// Without refs: `<zeros> SP capabilities^{} NUL <capabilities> LF`.

/// Writes what a version 0 or 1 server says first, ref by ref.
///
///     var writer = try RefAdvertisementWriter(offer, version: .v0, overHTTP: true)
///     for each ref { try writer.ref(name, oid, peeled: peeled); now and then: send writer.takeBytes() }
///     try writer.end()
///     send writer.takeBytes()
public struct RefAdvertisementWriter: Sendable {
    private var lines = PktLineWriter()
    private let capabilities: ByteString
    private let format: ObjectFormat
    private let showsPeeled: Bool
    private var isFirst = true

    /// That of upload-pack.
    ///
    /// - Parameter version: 0 or 1; version 2 has ``CapabilityAdvertisement`` in place of this, and is
    ///   taken for 0.
    /// - Parameter symrefs: where symbolic refs point: HEAD, unless its branch is unborn.
    /// - Throws: ``WireError/Code/invalid`` for an agent or session id that cannot be sent.
    public init(
        _ offer: UploadPackOffer, version: ProtocolVersion,
        symrefs: [(name: RefName, target: RefName)] = [], overHTTP: Bool
    ) throws(WireError) {
        capabilities = try offer.list(symrefs: symrefs)
        format = offer.objectFormat
        showsPeeled = true
        try begin("git-upload-pack", version, overHTTP)
    }

    /// That of receive-pack. There is no push in version 2: who asks for it is answered in version 0.
    ///
    /// - Throws: ``WireError/Code/invalid`` for an agent or session id that cannot be sent.
    public init(
        _ offer: ReceivePackOffer, version: ProtocolVersion, overHTTP: Bool
    ) throws(WireError) {
        capabilities = try offer.list()
        format = offer.objectFormat
        showsPeeled = false
        try begin("git-receive-pack", version, overHTTP)
    }

    /// Bytes that wait to be taken.
    public var count: Int { lines.bytes.count }

    public mutating func takeBytes() -> [UInt8] { lines.takeBytes() }

    /// The next ref; in order of their names, `HEAD` first.
    ///
    /// - Parameter peeled: what the annotated tag `oid` points to in the end. receive-pack shows none.
    /// - Throws: ``WireError/Code/limit`` where the capabilities do not fit in a pkt-line.
    public mutating func ref(
        _ name: RefName, _ oid: ObjectID, peeled: ObjectID? = nil
    ) throws(WireError) {
        try line(oid, name.bytes)
        guard showsPeeled, let peeled else { return }
        try lines.packet {
            peeled.appendHex(to: &$0)
            $0.append(0x20)
            $0.append(contentsOf: name.bytes.bytes)
            $0.append("^{}\n")
        }
    }

    /// An object that the server has though no ref that is shown points to it (receive-pack).
    ///
    /// - Throws: as ``ref(_:_:peeled:)``.
    public mutating func have(_ oid: ObjectID) throws(WireError) { try line(oid, ".have") }

    /// The end.
    ///
    /// - Parameter shallow: the commits of a shallow server whose parents it has not got.
    /// - Throws: as ``ref(_:_:peeled:)``.
    public mutating func end(shallow: some Sequence<ObjectID> = []) throws(WireError) {
        if isFirst { try line(.zero(format), "capabilities^{}") }
        for oid in shallow { lines.line("shallow ", oid, "\n") }
        lines.flush()
    }

    private mutating func begin(
        _ service: StaticString, _ version: ProtocolVersion, _ overHTTP: Bool
    ) throws(WireError) {
        if overHTTP {
            try lines.line("# service=\(service)")
            lines.flush()
        }
        if version == .v1 { try lines.line("version 1") }
    }

    private mutating func line(_ oid: ObjectID, _ name: ByteString) throws(WireError) {
        let list = isFirst ? capabilities : nil
        isFirst = false
        try lines.packet {
            oid.appendHex(to: &$0)
            $0.append(0x20)
            $0.append(contentsOf: name.bytes)
            if let list {
                $0.append(0)
                $0.append(contentsOf: list.bytes)
            }
            $0.append(0x0a)
        }
    }
}
