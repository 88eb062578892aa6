import GitCore

// What a server says first, in pkt-lines (gitprotocol-pack, "Reference Discovery"; gitprotocol-http,
// "Smart Server Response"; gitprotocol-v2, "Capability Advertisement"):
//
//     # service=git-upload-pack LF        over HTTP only; some servers leave these
//     0000                                two out in version 2
//
//     version 2 LF                        version 2:
//     <key>[=<value>] LF                  its capabilities
//     0000
//
//     [version 1 LF]                      version 1 and 0:
//     <oid> SP <name> NUL <capabilities> LF       the first ref
//     <oid> SP <name> LF                  the others
//     <oid> SP <name> ^{} LF              what the annotated tag before it peels to
//     shallow SP <oid> LF                 a shallow server's boundary
//     0000
//
// A repository without refs has, in place of the first ref, `<zeros> SP capabilities^{} NUL …`.
// `ERR SP <text>` may stand for any line.

/// Reads what a server says first, in chunks of any size.
///
///     var decoder = AdvertisementDecoder(.http(service: "git-upload-pack"))
///     for each chunk of the answer { try decoder.push(chunk) }
///     let advertisement = try decoder.finish()
///
/// Refs whose names are not well-formed are skipped and counted (``AdvertisedRefs/skippedCount``), as
/// Git does. After a throw it is of no more use.
public struct AdvertisementDecoder: Sendable {
    /// How the bytes come.
    public enum Source: Sendable {
        /// As the body of an HTTP answer, which names the service, and may be no Git server's at all.
        case http(service: String)
        /// From a process or a connection that is the service.
        case connection
    }

    private enum Phase {
        case recognising, service, serviceFlush, version, firstRef, refs, shallow, capabilities
        case ended
    }

    private let source: Source
    private let limits: WireLimits
    private var phase: Phase
    /// The reply's first bytes, until it is known what it is.
    private var start: [UInt8] = []
    private var packets = PktLineDecoder()

    private var version = ProtocolVersion.v0
    private var capabilities = Capabilities()
    private var symrefs: [RefName: RefName] = [:]
    private var refs: AdvertisedRefsBuilder?
    private var shallow: [ObjectID] = []

    public init(_ source: Source, limits: WireLimits = .standard) {
        self.source = source
        self.limits = limits
        if case .http = source { phase = .recognising } else { phase = .version }
    }

    /// Reads the next bytes.
    ///
    /// - Throws: ``WireError``: `notSmart` where it is no smart server's answer, `server` where the
    ///   server sent an error, `malformed`, `limit`, `unsupported`.
    public mutating func push(_ chunk: [UInt8]) throws(WireError) {
        guard phase == .recognising else {
            packets.push(chunk)
            return try readLines()
        }
        start += chunk
        guard let kind = ReplyKind(start, isWhole: false) else { return }
        guard kind == .smart else { throw kind.error(start) }
        phase = .service
        packets.push(start)
        start = []
        try readLines()
    }

    /// The advertisement, once everything has been pushed.
    ///
    /// - Throws: ``WireError/Code/truncated`` where its end has not come; else as ``push(_:)``.
    public func finish() throws(WireError) -> Advertisement {
        if phase == .recognising {
            let kind = ReplyKind(start, isWhole: true) ?? .unknown
            throw kind.error(start)
        }
        try packets.checkBetweenLines()
        guard phase == .ended else {
            throw .truncated("the flush packet at the end of the advertisement")
        }
        let format = try capabilities.objectFormat()
        let refs = try version == .v2 ? nil : finishRefs(format)
        return Advertisement(
            version: version, capabilities: capabilities, objectFormat: format, refs: refs,
            shallow: shallow)
    }

    private func finishRefs(_ format: ObjectFormat) throws(WireError) -> AdvertisedRefs {
        var refs = refs ?? AdvertisedRefsBuilder(format, limits)
        if let target = symrefs[.head] { refs.setUnborn(target) }
        return try refs.finish()
    }

    private mutating func readLines() throws(WireError) {
        while let line = try packets.next() {
            let start = packets.lineStart
            guard packets.offset <= limits.advertisementBytes else {
                throw WireError(
                    .limit,
                    "the server's advertisement has more than \(limits.advertisementBytes) bytes")
            }
            switch line {
            case .data(let payload): try read(WireLine(payload, at: start))
            case .flush: try readFlush(at: start)
            case .delim, .responseEnd:
                throw .malformed("unexpected special packet in the advertisement", at: start)
            }
        }
    }

    private mutating func read(_ line: WireLine) throws(WireError) {
        guard phase != .ended else { throw line.unexpected(" after the advertisement's end") }
        try line.throwIfError()
        switch phase {
        case .service where line.value(after: "# service=") != nil: try readService(line)
        case .service, .version: try readVersion(line)
        case .firstRef: try readFirstRef(line)
        case .refs, .shallow: try readRef(line)
        case .capabilities: try readCapability(line)
        case .recognising, .serviceFlush, .ended: throw line.unexpected()
        }
    }

    private mutating func readFlush(at offset: UInt64) throws(WireError) {
        switch phase {
        case .serviceFlush: phase = .version
        // An old server says no more of a repository without refs.
        case .version, .firstRef, .refs, .shallow, .capabilities: phase = .ended
        case .recognising, .service, .ended:
            throw .malformed("unexpected flush packet", at: offset)
        }
    }

    private mutating func readService(_ line: WireLine) throws(WireError) {
        guard case .http(let service) = source,
            let named = line.value(after: "# service="), named.elementsEqual(service.utf8)
        else { throw line.unexpected(" names another service") }
        phase = .serviceFlush
    }

    private mutating func readVersion(_ line: WireLine) throws(WireError) {
        let number = line.value(after: "version ")
        if phase == .service, number != [0x32] {
            throw line.unexpected(" before the service's name")
        }
        switch number {
        case nil: try readFirstRef(line)
        case [0x31]: (version, phase) = (.v1, .firstRef)
        case [0x32]: (version, phase) = (.v2, .capabilities)
        case let number?:
            throw WireError(
                .unsupported, "the server speaks protocol version '\(WireLine.shown(number))'")
        }
    }

    private mutating func readCapability(_ line: WireLine) throws(WireError) {
        guard capabilities.count < limits.capabilities else {
            throw WireError(.limit, "the server has more than \(limits.capabilities) capabilities")
        }
        do {
            try capabilities.append(ByteString(line.bytes))
        } catch {
            throw .malformed("capability", error, at: line.offset)
        }
    }

    private mutating func readFirstRef(_ line: WireLine) throws(WireError) {
        let end = line.bytes.firstIndex(of: 0) ?? line.bytes.endIndex
        do {
            capabilities = try Capabilities(
                spaceSeparated: ByteString(line.bytes.suffix(from: end).dropFirst()))
        } catch {
            throw .malformed("capabilities", error, at: line.offset)
        }
        symrefs = capabilities.symrefs
        let format = try capabilities.objectFormat()
        refs = AdvertisedRefsBuilder(format, limits)
        phase = .refs
        let record = WireLine(line.bytes.prefix(upTo: end), at: line.offset)
        guard let (oid, name) = try? record.oidAndRest(record.bytes, format),
            name.elementsEqual("capabilities^{}".utf8)
        else { return try readRef(record) }
        guard oid.isZero else { throw record.unexpected() }
        phase = .shallow
    }

    private mutating func readRef(_ line: WireLine) throws(WireError) {
        guard let format = refs?.format else { throw line.unexpected() }
        if let hex = line.value(after: "shallow ") {
            phase = .shallow
            guard shallow.count < limits.refs else {
                throw WireError(.limit, "the server has more than \(limits.refs) shallow commits")
            }
            return shallow.append(try line.oid(hex, format))
        }
        guard phase == .refs else { throw line.unexpected(" after the refs") }
        let (oid, name) = try line.oidAndRest(line.bytes, format)
        guard !name.contains(0) else { throw line.malformed("NUL in a ref's name") }
        if name.suffix(3).elementsEqual("^{}".utf8) {
            try refs?.peel(name.dropLast(3), oid, on: line)
        } else {
            try refs?.add(name, oid, symrefTarget: { [symrefs] in symrefs[$0] }, on: line)
        }
    }
}
