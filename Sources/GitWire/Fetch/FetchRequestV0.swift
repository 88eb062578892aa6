import GitCore

// gitprotocol-pack, "Packfile Negotiation", and gitprotocol-http, as one stateless request, in
// pkt-lines:
//
//     want SP <oid> SP <capabilities, separated by spaces> LF
//     want SP <oid> LF …
//     shallow SP <oid> LF …       deepen SP <depth> LF …      filter SP <spec> LF
//     0000
//     have SP <oid> LF …
//     0000, or, as the last word, done LF

extension FetchRequest {
    func encodedV0(_ advertisement: Advertisement) throws(WireError) -> FetchExchange {
        try checkV0(advertisement.capabilities)
        if !haves.isEmpty, !Self.acknowledges(advertisement.capabilities) {
            var everything = self
            everything.haves = []
            everything.isDone = true
            return try everything.encodedV0(advertisement)
        }
        var expectation = FetchExpectation(self, advertisement, .none)
        let chosen = try choose(advertisement, &expectation)

        var writer = PktLineWriter()
        for (index, oid) in unique(wants).enumerated() {
            let hex = ByteString(oid.hexBytes)
            let list = index == 0 ? chosen.map { " " + $0 }.reduce("", +) : ""
            try writer.line("want ", hex + list)
        }
        try writeShallow(&writer)
        if let filter { try writer.line("filter ", filter) }
        writer.flush()
        for oid in haves { try writer.line("have ", ByteString(oid.hexBytes)) }
        if isDone { try writer.line("done") } else { writer.flush() }
        return FetchExchange(body: writer.bytes, expectation: expectation)
    }

    private static func acknowledges(_ capabilities: Capabilities) -> Bool {
        capabilities.has("multi_ack_detailed") || capabilities.has("multi_ack")
    }

    private func checkV0(_ capabilities: Capabilities) throws(WireError) {
        let versionTwoOnly: [(Bool, String)] = [
            (!wantRefs.isEmpty, "wanting refs by name"), (sidebandAll, "sideband-all"),
            (waitForDone, "wait-for-done"), (!packfileURIProtocols.isEmpty, "packfile URIs"),
            (!serverOptions.isEmpty, "server options"),
        ]
        if let (_, what) = versionTwoOnly.first(where: \.0) { throw Self.unsupported(what) }
        for (isWanted, capability, what) in needs where isWanted && !capabilities.has(capability) {
            throw Self.unsupported(what)
        }
    }

    /// What cannot be had without a capability. Those but `shallow` are asked for by naming them.
    private var needs: [(isWanted: Bool, capability: ByteString, what: String)] {
        var isRelative = false
        var isSince = false
        var isNot = false
        switch deepen {
        case .by: isRelative = true
        case .cut(let since, let excluding):
            isSince = since != nil
            isNot = !excluding.isEmpty
        case .to, nil: break
        }
        return [
            (!shallow.isEmpty || deepen != nil, "shallow", "shallow clones"),
            (isRelative, "deepen-relative", "deepening a shallow clone"),
            (isSince, "deepen-since", "shallow clones by date"),
            (isNot, "deepen-not", "shallow clones by ref"),
            (filter != nil, "filter", "filters"),
        ]
    }

    /// The capabilities to be in effect, out of what the server has.
    private func choose(
        _ advertisement: Advertisement, _ expectation: inout FetchExpectation
    ) throws(WireError) -> [ByteString] {
        let capabilities = advertisement.capabilities
        var chosen: [ByteString] = []
        if capabilities.has("multi_ack_detailed") {
            expectation.acknowledgments = .detailed
            chosen.append("multi_ack_detailed")
            if !isDone, capabilities.has("no-done") {
                expectation.noDone = true
                chosen.append("no-done")
            }
        } else if capabilities.has("multi_ack") {
            expectation.acknowledgments = .multi
            chosen.append("multi_ack")
        }
        let sideBands: [ByteString] = ["side-band-64k", "side-band"]
        if let sideBand = sideBands.first(where: capabilities.has) {
            expectation.multiplexing = .pack
            chosen.append(sideBand)
        }
        let wishes: [(Bool, ByteString)] = [
            (thinPack, "thin-pack"), (noProgress, "no-progress"), (includeTag, "include-tag"),
            (ofsDelta, "ofs-delta"),
        ]
        chosen += wishes.filter { $0.0 && capabilities.has($0.1) }.map(\.1)
        chosen += needs.filter { $0.isWanted && $0.capability != "shallow" }.map(\.capability)
        if let agent = try Agent.value(agent, capabilities) { chosen.append("agent=" + agent) }
        if capabilities.has("object-format") {
            chosen.append("object-format=" + ByteString(advertisement.objectFormat.name))
        }
        return chosen
    }
}
