public import GitCore

// A request (gitprotocol-v2, "Command Request" and "ls-refs"), in pkt-lines:
//
//     command=ls-refs LF
//     agent=<agent> LF            and other capabilities that the server has
//     0001
//     peel LF  symrefs LF  unborn LF  ref-prefix SP <prefix> LF …
//     0000

/// Asks a version 2 server for its refs.
public struct LsRefsRequest: Sendable {
    /// Only refs whose names start with one of these; all, where there is none. Only a hint: a server
    /// may send others.
    public var prefixes: [ByteString]
    /// What annotated tags point to.
    public var peel = true
    /// Where symbolic refs point.
    public var symrefs = true
    /// Where a HEAD points whose branch has no commit yet; asked only of servers that can tell.
    public var unborn = true
    /// Who is asking: `apus/1.0`. Printable ASCII, no space.
    public var agent: String?
    public var serverOptions: [ByteString] = []

    public init(prefixes: [ByteString] = [], agent: String? = nil) {
        self.prefixes = prefixes
        self.agent = agent
    }

    /// The request's body.
    ///
    /// - Throws: ``WireError/Code/unsupported`` where the server cannot do it,
    ///   ``WireError/Code/invalid`` where a prefix, an option or the agent cannot be sent.
    public func encoded(for advertisement: Advertisement) throws(WireError) -> [UInt8] {
        var writer = try CommandV2(
            name: "ls-refs", agent: agent, serverOptions: serverOptions
        ).begin(advertisement)
        if peel { try writer.line("peel") }
        if symrefs { try writer.line("symrefs") }
        if unborn, advertisement.capabilities.has(feature: "unborn", of: "ls-refs") {
            try writer.line("unborn")
        }
        for prefix in prefixes { try writer.line("ref-prefix ", prefix) }
        writer.flush()
        return writer.bytes
    }
}
