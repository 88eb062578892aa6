import GitCore

// gitprotocol-v2, "fetch", in pkt-lines:
//
//     command=fetch LF            and capabilities
//     0001
//     thin-pack LF  no-progress LF  include-tag LF  ofs-delta LF  …
//     want SP <oid> LF …
//     have SP <oid> LF …
//     [done LF]
//     0000

extension FetchRequest {
    func encodedV2(_ advertisement: Advertisement) throws(WireError) -> FetchExchange {
        let capabilities = advertisement.capabilities
        var writer = try CommandV2(
            name: "fetch", agent: agent, serverOptions: serverOptions
        ).begin(advertisement)
        try writeFlags(&writer)
        try writeShallowV2(&writer, capabilities)
        try writeFeatures(&writer, capabilities)
        for oid in unique(wants) { try writer.line("want ", ByteString(oid.hexBytes)) }
        for oid in haves { try writer.line("have ", ByteString(oid.hexBytes)) }
        if isDone { try writer.line("done") }
        writer.flush()

        var expectation = FetchExpectation(self, advertisement, sidebandAll ? .all : .pack)
        expectation.wantRefs = Set(wantRefs)
        expectation.waitForDone = waitForDone
        expectation.packfileURIProtocols = Set(packfileURIProtocols)
        return FetchExchange(body: writer.bytes, expectation: expectation)
    }

    private func writeFlags(_ writer: inout PktLineWriter) throws(WireError) {
        if thinPack { try writer.line("thin-pack") }
        if noProgress { try writer.line("no-progress") }
        if includeTag { try writer.line("include-tag") }
        if ofsDelta { try writer.line("ofs-delta") }
    }

    private func writeShallowV2(
        _ writer: inout PktLineWriter, _ capabilities: Capabilities
    ) throws(WireError) {
        guard !shallow.isEmpty || deepen != nil else { return }
        guard capabilities.has(feature: "shallow", of: "fetch") else {
            throw Self.unsupported("shallow clones")
        }
        if case .by = deepen { try writer.line("deepen-relative") }
        try writeShallow(&writer)
    }

    /// The lines that both versions share.
    func writeShallow(_ writer: inout PktLineWriter) throws(WireError) {
        for oid in shallow { try writer.line("shallow ", ByteString(oid.hexBytes)) }
        switch deepen {
        case nil: break
        case .to(let depth), .by(let depth): try writer.line("deepen \(depth)")
        case .cut(let since, let excluding):
            if let since { try writer.line("deepen-since \(since)") }
            for name in excluding { try writer.line("deepen-not ", name) }
        }
    }

    private func writeFeatures(
        _ writer: inout PktLineWriter, _ capabilities: Capabilities
    ) throws(WireError) {
        func require(_ feature: ByteString, _ what: String) throws(WireError) {
            guard capabilities.has(feature: feature, of: "fetch") else {
                throw Self.unsupported(what)
            }
        }
        if let filter {
            try require("filter", "filters")
            try writer.line("filter ", filter)
        }
        if sidebandAll {
            try require("sideband-all", "sideband-all")
            try writer.line("sideband-all")
        }
        if waitForDone {
            try require("wait-for-done", "wait-for-done")
            try writer.line("wait-for-done")
        }
        if !packfileURIProtocols.isEmpty {
            try require("packfile-uris", "packfile URIs")
            let list = packfileURIProtocols.joined(separator: ",")
            try writer.line("packfile-uris ", ByteString(list))
        }
        if !wantRefs.isEmpty { try require("ref-in-want", "wanting refs by name") }
        for name in Set(wantRefs).sorted() { try writer.line("want-ref ", name.bytes) }
    }
}
