public import GitCore

// gitprotocol-v2, "ls-refs", in pkt-lines:
//
//     <oid> SP <name> [SP symref-target:<name>] [SP peeled:<oid>] LF …
//     unborn SP <name> SP symref-target:<name> LF
//     0000

/// Writes the answer to `ls-refs`, ref by ref, leaving out what was not asked.
///
///     var response = LsRefsResponse(arguments)
///     for each ref { try response.ref(name, oid, …); now and then: send response.takeBytes() }
///     response.end()
///     send response.takeBytes()
public struct LsRefsResponse: Sendable {
    private let arguments: LsRefsArguments
    private var lines = PktLineWriter()

    public init(_ arguments: LsRefsArguments) { self.arguments = arguments }

    /// Bytes that wait to be taken.
    public var count: Int { lines.bytes.count }

    public mutating func takeBytes() -> [UInt8] { lines.takeBytes() }

    /// The next ref, if it is one of those asked for. `HEAD` comes first, then the others in order of
    /// their names.
    ///
    /// - Parameter target: what the ref is a symbolic ref to.
    /// - Parameter peeled: what the annotated tag `oid` points to in the end.
    /// - Throws: never for names of ``RefName/maximumLength``.
    public mutating func ref(
        _ name: RefName, _ oid: ObjectID, symrefTarget target: RefName? = nil,
        peeled: ObjectID? = nil
    ) throws(WireError) {
        try line(name, oid, arguments.symrefs ? target : nil, arguments.peel ? peeled : nil)
    }

    /// A `HEAD` that points to `target`, which does not exist yet.
    ///
    /// - Throws: as ``ref(_:_:symrefTarget:peeled:)``.
    public mutating func unbornHead(_ target: RefName) throws(WireError) {
        guard arguments.unborn, arguments.symrefs else { return }
        try line(.head, nil, target, nil)
    }

    public mutating func end() { lines.flush() }

    private mutating func line(
        _ name: RefName, _ oid: ObjectID?, _ target: RefName?, _ peeled: ObjectID?
    ) throws(WireError) {
        guard arguments.prefixes.matches(name.bytes) else { return }
        try lines.packet {
            if let oid { oid.appendHex(to: &$0) } else { $0.append("unborn") }
            $0.append(0x20)
            $0.append(contentsOf: name.bytes.bytes)
            if let target {
                $0.append(" symref-target:")
                $0.append(contentsOf: target.bytes.bytes)
            }
            if let peeled {
                $0.append(" peeled:")
                peeled.appendHex(to: &$0)
            }
            $0.append(0x0a)
        }
    }
}
