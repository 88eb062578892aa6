import GitCore

// gitprotocol-pack, "Reference Update Request and Packfile Transfer", in pkt-lines:
//
//     shallow SP <oid> LF …
//     <old> SP <new> SP <name> NUL <capabilities> LF
//     <old> SP <new> SP <name> LF …
//     0000
//     <option> LF …               with push-options
//     0000
//     the pack, unframed          unless refs are only deleted
//
// A flush packet alone changes nothing: clients send it to try the connection.

/// Reads a push, in chunks of any size.
///
///     var decoder = PushRequestDecoder(offer)
///     for each chunk of the body {
///         decoder.push(chunk)
///         while let event = try decoder.next() { … }
///     }
///     try decoder.finish()
///
/// After a throw it is of no more use.
public struct PushRequestDecoder: Sendable {
    public enum Event: Sendable {
        /// First, and once.
        case request(PushRequest)
        /// The next bytes of the pack. Never empty. A slice of what was pushed, not a copy.
        case pack(ArraySlice<UInt8>)
    }

    private enum Phase { case commands, options, pack, ended }

    private let offer: ReceivePackOffer
    private let limits: ServingLimits
    private var packets = PktLineDecoder()
    private var phase = Phase.commands
    private var request = PushRequest()
    private var shallow: ServingLimits.UniqueIDs
    private var names: Set<ByteString> = []
    private var options: [ByteString] = []

    public init(_ offer: ReceivePackOffer, limits: ServingLimits = .standard) {
        self.offer = offer
        self.limits = limits
        shallow = .init(limits.shallow, "shallow commits")
    }

    /// Gives it the next bytes of the body. Take what comes of them before pushing more.
    public mutating func push(_ chunk: [UInt8]) { packets.push(chunk) }

    /// What comes next, or nil where more bytes are needed.
    ///
    /// - Throws: ``WireError``: `malformed`, `limit`; `unsupported` for signed pushes, another object
    ///   format, or an atomic push, push options or deletes where they are not offered.
    public mutating func next() throws(WireError) -> Event? {
        while true {
            switch phase {
            case .commands, .options:
                guard let line = try packets.next() else { return nil }
                if try take(line) { return .request(request) }
            case .pack:
                let piece = packets.rest()
                return piece.isEmpty ? nil : .pack(piece)
            case .ended:
                guard packets.isBetweenLines else {
                    throw .malformed("data after the end of the request", at: packets.offset)
                }
                return nil
            }
        }
    }

    /// - Throws: ``WireError/Code/truncated`` where the body ended before the pack. (Whether the pack
    ///   is whole it does not know.)
    public func finish() throws(WireError) {
        switch phase {
        case .commands: throw .requestTruncated("the flush packet after the commands")
        case .options: throw .requestTruncated("the flush packet after the push options")
        case .pack, .ended: break
        }
    }

    /// Whether ``request`` is whole with this line.
    private mutating func take(_ line: PktLine) throws(WireError) -> Bool {
        let start = packets.lineStart
        guard packets.offset <= limits.pushHeaderBytes else {
            throw WireError(
                .limit, "the push has more than \(limits.pushHeaderBytes) bytes before its pack")
        }
        switch line {
        case .data(let payload):
            let line = WireLine(payload, at: start)
            if phase == .options { try takeOption(line) } else { try takeCommandOrShallow(line) }
            return false
        case .flush where phase == .commands:
            if request.pushOptions != nil, !request.commands.isEmpty {
                phase = .options
                return false
            }
        case .flush: request.pushOptions = options
        case .delim, .responseEnd: throw .malformed("unexpected special packet", at: start)
        }
        try end()
        return true
    }

    private mutating func end() throws(WireError) {
        request.shallow = shallow.list
        if !offer.deleteRefs, request.commands.contains(where: \.isDelete) {
            throw WireError(.unsupported, "the server does not delete refs")
        }
        phase = request.hasPack ? .pack : .ended
    }

    private mutating func takeCommandOrShallow(_ line: WireLine) throws(WireError) {
        if let hex = line.value(after: "shallow ") {
            return try shallow.insert(try line.oid(hex, offer.objectFormat))
        }
        let end = line.bytes.firstIndex(of: 0) ?? line.bytes.endIndex
        let command = WireLine(line.bytes.prefix(upTo: end), at: line.offset)
        if command.value(after: "push-cert") != nil {
            throw WireError(.unsupported, "the server does not take signed pushes")
        }
        if request.commands.isEmpty {
            try takeCapabilities(
                WireLine(line.bytes.suffix(from: end).dropFirst(), at: line.offset))
        } else if end < line.bytes.endIndex {
            throw line.malformed("capabilities behind another command than the first")
        }
        try takeCommand(command)
    }

    private mutating func takeCommand(_ line: WireLine) throws(WireError) {
        let (old, rest) = try line.oidAndRest(line.bytes, offer.objectFormat)
        let (new, name) = try line.oidAndRest(rest, offer.objectFormat)
        guard !name.isEmpty else { throw line.unexpected(" names no ref") }
        try line.throwIfControls("ref's name")
        try ServingLimits.check(request.commands.count, below: limits.commands, "refs to change")
        let command = PushRequest.Command(old: old, new: new, name: ByteString(name))
        guard names.insert(command.name).inserted else {
            throw line.malformed("multiple updates for ref '\(WireLine.shown(name))' not allowed")
        }
        request.commands.append(command)
    }

    private mutating func takeOption(_ line: WireLine) throws(WireError) {
        try line.throwIfControls("push option")
        try ServingLimits.check(options.count, below: limits.pushOptions, "push options")
        options.append(ByteString(line.bytes))
    }

    private mutating func takeCapabilities(_ list: WireLine) throws(WireError) {
        try list.throwIfControls("capability")
        var format = ArraySlice("sha1".utf8)
        for word in list.bytes.split(separator: 0x20) {
            let word = WireLine(word, at: list.offset)
            if let agent = word.value(after: "agent=") {
                request.agent = ByteString(agent)
            } else if let sessionID = word.value(after: "session-id=") {
                request.sessionID = ByteString(sessionID)
            } else if let name = word.value(after: "object-format=") {
                format = name
            } else {
                try takeCapability(String(decoding: word.bytes, as: UTF8.self))
            }
        }
        try offer.objectFormat.check(client: format)
    }

    /// What it does not know counts for nothing, as in Git's server. What would change the meaning of
    /// the push is refused where it is not offered.
    private mutating func takeCapability(_ name: String) throws(WireError) {
        switch name {
        case "report-status-v2": request.report = .v2
        case "report-status" where request.report == .none: request.report = .v1
        case "side-band-64k": request.sideBand = .large
        case "quiet": request.quiet = true
        case "atomic":
            guard offer.atomic else {
                throw WireError(.unsupported, "the server does not do atomic pushes")
            }
            request.atomic = true
        case "push-options":
            guard offer.pushOptions else {
                throw WireError(.unsupported, "the server does not take push options")
            }
            request.pushOptions = []
        default: break
        }
    }
}
