import GitCore

// An answer (gitprotocol-v2, "ls-refs"), in pkt-lines:
//
//     <oid> SP <name> [SP symref-target:<name>] [SP peeled:<oid>] LF
//     unborn SP HEAD SP symref-target:<name> LF
//     0000

/// Reads a version 2 server's answer to ``LsRefsRequest``, in chunks of any size.
///
/// As in version 0, a ref whose name is not well-formed is skipped and counted, and a
/// `symref-target` that is not a well-formed name under `refs/` is as if it had not been said.
/// Unknown attributes are ignored. After a throw it is of no more use.
public struct LsRefsDecoder: Sendable {
    private let limits: WireLimits
    private var packets = PktLineDecoder()
    private var refs: AdvertisedRefsBuilder
    private var hasEnded = false

    public init(_ advertisement: Advertisement, limits: WireLimits = .standard) {
        self.limits = limits
        refs = AdvertisedRefsBuilder(advertisement.objectFormat, limits)
    }

    /// Reads the next bytes.
    ///
    /// - Throws: ``WireError``: `server` where the server sent an error, `malformed`, `limit`.
    public mutating func push(_ chunk: [UInt8]) throws(WireError) {
        packets.push(chunk)
        while let line = try packets.next() {
            guard packets.offset <= limits.advertisementBytes else {
                throw WireError(
                    .limit, "the server's refs take more than \(limits.advertisementBytes) bytes")
            }
            try read(line, at: packets.lineStart)
        }
    }

    /// The refs, once everything has been pushed.
    ///
    /// - Throws: ``WireError/Code/truncated`` where the answer's end has not come;
    ///   ``WireError/Code/malformed`` where a name came twice.
    public func finish() throws(WireError) -> AdvertisedRefs {
        try packets.checkBetweenLines()
        guard hasEnded else { throw .truncated("the flush packet at the end of the refs") }
        return try refs.finish()
    }

    private mutating func read(_ line: PktLine, at offset: UInt64) throws(WireError) {
        guard !hasEnded else { throw .malformed("data after the end of the refs", at: offset) }
        switch line {
        case .data(let payload): try readRef(WireLine(payload, at: offset))
        case .flush: hasEnded = true
        case .delim, .responseEnd:
            throw .malformed("unexpected special packet among the refs", at: offset)
        }
    }

    private mutating func readRef(_ line: WireLine) throws(WireError) {
        try line.throwIfError()
        if let rest = line.value(after: "unborn ") { return try readUnborn(rest, line) }
        let (oid, rest) = try line.oidAndRest(line.bytes, refs.format)
        let attributes = try Attributes(rest, line, refs.format)
        try refs.add(
            attributes.name, oid, peeled: attributes.peeled,
            symrefTarget: { _ in attributes.symrefTarget }, on: line)
    }

    private mutating func readUnborn(
        _ rest: ArraySlice<UInt8>, _ line: WireLine
    ) throws(WireError) {
        let attributes = try Attributes(rest, line, refs.format)
        guard attributes.name.elementsEqual("HEAD".utf8) else { return }
        if let target = attributes.symrefTarget { refs.setUnborn(target) }
    }

    /// What follows the id: the name, and what is said of the ref.
    private struct Attributes {
        let name: ArraySlice<UInt8>
        private(set) var symrefTarget: RefName?
        private(set) var peeled: ObjectID?

        init(
            _ rest: ArraySlice<UInt8>, _ line: WireLine, _ format: ObjectFormat
        ) throws(WireError) {
            let words = rest.split(separator: 0x20, omittingEmptySubsequences: false)
            guard let first = words.first, !first.isEmpty, !rest.contains(0) else {
                throw line.unexpected()
            }
            name = first
            var hasTarget = false
            for word in words.dropFirst() {
                let attribute = WireLine(word, at: line.offset)
                if let target = attribute.value(after: "symref-target:") {
                    guard !hasTarget else { throw line.unexpected() }
                    hasTarget = true
                    symrefTarget = RefName(symrefTarget: target)
                } else if let hex = attribute.value(after: "peeled:") {
                    guard peeled == nil else { throw line.unexpected() }
                    peeled = try line.oid(hex, format)
                }
            }
        }
    }
}
