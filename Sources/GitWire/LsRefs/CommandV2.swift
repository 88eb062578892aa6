import GitCore

/// What every version 2 request begins with: the command, and the capabilities that go with it.
struct CommandV2 {
    let name: ByteString
    let agent: String?
    let serverOptions: [ByteString]

    /// A writer that has got as far as the delim packet.
    func begin(_ advertisement: Advertisement) throws(WireError) -> PktLineWriter {
        let capabilities = advertisement.capabilities
        guard advertisement.version == .v2, capabilities.has(name) else {
            throw WireError(.unsupported, "the server does not have the command '\(name)'")
        }
        var writer = PktLineWriter()
        try writer.line("command=", name)
        if let agent = try Agent.value(agent, capabilities) { try writer.line("agent=", agent) }
        if capabilities.has("object-format") {
            try writer.line("object-format=", ByteString(advertisement.objectFormat.name))
        }
        if !serverOptions.isEmpty, !capabilities.has("server-option") {
            throw WireError(.unsupported, "the server does not take server options")
        }
        for option in serverOptions { try writer.line("server-option=", option) }
        writer.delim()
        return writer
    }
}

enum Agent {
    /// `agent` if the server wants to hear it (gitprotocol-capabilities, "agent").
    static func value(
        _ agent: String?, _ capabilities: Capabilities
    ) throws(WireError) -> ByteString? {
        guard let agent, capabilities.has("agent") else { return nil }
        guard !agent.isEmpty, agent.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
            throw WireError(.invalid, "the agent '\(ByteString(agent))' is not printable ASCII")
        }
        return ByteString(agent)
    }
}
