public import GitCore

// A version 2 request (gitprotocol-v2, "Command Request"), in pkt-lines:
//
//     command=<command> LF        and, before or after it,
//     <key>[=<value>] LF          capabilities that the server has shown
//     [0001
//     <argument> LF …]
//     0000
//
// A flush packet alone asks nothing.

/// What a version 2 client asks: one command, read and checked against what the server offers.
public struct CommandRequest: Sendable {
    public enum Command: Sendable {
        case lsRefs(LsRefsArguments)
        case fetch(UploadPackRequest)
        case objectInfo(ObjectInfoArguments)
        case bundleURI
    }

    public internal(set) var command: Command
    /// Who is asking. For people, never for a decision.
    public let agent: ByteString?
    /// What to find this conversation by in the client's log. For people.
    public let sessionID: ByteString?
    /// Without control characters.
    public let serverOptions: [ByteString]

    /// Reads the body of a request; nil where it asks nothing.
    ///
    /// - Throws: ``WireError``: `unsupported`, in the words of Git's server, for a command, a
    ///   capability or an argument that is not offered, or another object format; `malformed`,
    ///   `truncated`, `limit`.
    public init?(
        parsing body: [UInt8], for offer: UploadPackOffer, limits: ServingLimits = .standard
    ) throws(WireError) {
        let request = try RequestDecoder.decode(body, CommandGrammar(offer, limits))
        guard let request else { return nil }
        self = request
    }

    fileprivate init(_ command: Command, _ keys: CommandGrammar.Keys) {
        self.command = command
        agent = keys.agent
        sessionID = keys.sessionID
        serverOptions = keys.serverOptions
    }
}

struct CommandGrammar: RequestGrammar {
    private enum Name: String {
        case lsRefs = "ls-refs"
        case fetch = "fetch"
        case objectInfo = "object-info"
        case bundleURI = "bundle-uri"
    }

    fileprivate struct Keys {
        var agent: ByteString?
        var sessionID: ByteString?
        var serverOptions: [ByteString] = []
    }

    private enum Phase { case keys, arguments, ended }

    private let offer: UploadPackOffer
    private let limits: ServingLimits
    private var phase = Phase.keys
    private var isEmpty = true
    private var command: Name?
    private var keys = Keys()
    private var formatName: ByteString = "sha1"
    // One for each command, so that their arrays grow in place.
    private var lsRefs: LsRefsGrammar
    private var fetch: UploadPackGrammarV2
    private var objectInfo: ObjectInfoGrammar

    init(_ offer: UploadPackOffer, _ limits: ServingLimits) {
        self.offer = offer
        self.limits = limits
        lsRefs = LsRefsGrammar(offer, limits)
        fetch = UploadPackGrammarV2(offer, limits)
        objectInfo = ObjectInfoGrammar(offer, limits)
    }

    mutating func take(_ line: WireLine) throws(WireError) {
        isEmpty = false
        switch (phase, command) {
        case (.keys, _): try takeKey(line)
        case (.arguments, .lsRefs): try lsRefs.take(line)
        case (.arguments, .fetch): try fetch.take(line)
        case (.arguments, .objectInfo): try objectInfo.take(line)
        case (.arguments, .bundleURI), (.arguments, nil):
            throw WireError(
                .unsupported, "bundle-uri: unexpected argument: '\(WireLine.shown(line.bytes))'")
        case (.ended, _): throw line.unexpected(" after the request's end")
        }
    }

    mutating func takeDelim(at offset: UInt64) throws(WireError) {
        guard phase == .keys else { throw .malformed("unexpected delim packet", at: offset) }
        isEmpty = false
        try endKeys()
        phase = .arguments
    }

    mutating func takeFlush(at offset: UInt64) throws(WireError) {
        switch phase {
        case .keys: if !isEmpty { try endKeys() }
        case .arguments: break
        case .ended: throw .malformed("unexpected flush packet", at: offset)
        }
        phase = .ended
    }

    mutating func finish() throws(WireError) -> CommandRequest? {
        guard phase == .ended else {
            if isEmpty { return nil }
            throw .requestTruncated("the flush packet at its end")
        }
        switch command {
        case nil: return nil
        case .lsRefs: return CommandRequest(.lsRefs(lsRefs.finish()), keys)
        case .fetch: return CommandRequest(.fetch(try fetch.finish()), keys)
        case .objectInfo: return CommandRequest(.objectInfo(objectInfo.arguments), keys)
        case .bundleURI: return CommandRequest(.bundleURI, keys)
        }
    }

    private func endKeys() throws(WireError) {
        guard command != nil else { throw WireError(.unsupported, "no command requested") }
        guard formatName == ByteString(offer.objectFormat.name) else {
            throw WireError(
                .unsupported,
                "mismatched object format: server \(offer.objectFormat.name); client \(formatName)")
        }
    }

    private mutating func takeKey(_ line: WireLine) throws(WireError) {
        try line.throwIfControls("capability")
        if let name = line.value(after: "command=") { return try takeCommand(name) }
        let equals = line.bytes.firstIndex(of: 0x3d) ?? line.bytes.endIndex
        let value = line.bytes.suffix(from: equals).dropFirst()
        switch String(decoding: line.bytes.prefix(upTo: equals), as: UTF8.self) {
        case "agent" where offer.agent != nil: keys.agent = ByteString(value)
        case "session-id" where offer.sessionID != nil: keys.sessionID = ByteString(value)
        case "object-format": try takeFormat(value, hasValue: equals < line.bytes.endIndex)
        case "server-option" where offer.serverOptions:
            try ServingLimits.check(
                keys.serverOptions.count, below: limits.serverOptions, "server options")
            keys.serverOptions.append(ByteString(value))
        default:
            throw WireError(
                .unsupported, "unknown capability '\(WireLine.shown(line.bytes))'")
        }
    }

    private mutating func takeCommand(_ bytes: ArraySlice<UInt8>) throws(WireError) {
        if let command {
            throw WireError(
                .unsupported,
                "command '\(WireLine.shown(bytes))' requested after already requesting command "
                    + "'\(command.rawValue)'")
        }
        let name = Name(rawValue: String(decoding: bytes, as: UTF8.self))
        guard let name, isOffered(name) else {
            throw WireError(.unsupported, "invalid command '\(WireLine.shown(bytes))'")
        }
        command = name
    }

    private func isOffered(_ name: Name) -> Bool {
        switch name {
        case .lsRefs, .fetch: true
        case .objectInfo: offer.objectInfo
        case .bundleURI: offer.bundleURI
        }
    }

    private mutating func takeFormat(
        _ name: ArraySlice<UInt8>, hasValue: Bool
    ) throws(WireError) {
        guard hasValue else {
            throw WireError(
                .unsupported, "object-format capability requires an argument")
        }
        guard ObjectFormat(name: String(decoding: name, as: UTF8.self)) != nil else {
            throw WireError(.unsupported, "unknown object format '\(WireLine.shown(name))'")
        }
        formatName = ByteString(name)
    }
}
