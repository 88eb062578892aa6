public import GitCore

// Version 2 (gitprotocol-v2, "Capability Advertisement"), in pkt-lines:
//
//     version 2 LF
//     <key>[=<value>] LF …
//     0000
//
// Over HTTP Git's own server sends no `# service=` before it, and neither do we.

/// What a version 2 server says first. It shows no refs: `ls-refs` does.
public struct CapabilityAdvertisement: Sendable {
    /// In their order. Unlike a ``Capabilities``, made to be written.
    public private(set) var entries: [(key: ByteString, value: ByteString?)] = []

    /// What `offer` holds, in Git's order.
    public init(_ offer: UploadPackOffer) {
        if let agent = offer.agent { entries.append(("agent", agent)) }
        entries.append(("ls-refs", offer.unborn == .advertised ? "unborn" : nil))
        entries.append(("fetch", offer.fetchFeatures))
        if offer.serverOptions { entries.append(("server-option", nil)) }
        entries.append(("object-format", ByteString(offer.objectFormat.name)))
        if let sessionID = offer.sessionID { entries.append(("session-id", sessionID)) }
        if offer.objectInfo { entries.append(("object-info", nil)) }
        if offer.bundleURI { entries.append(("bundle-uri", nil)) }
    }

    /// The body of the answer.
    ///
    /// - Throws: ``WireError/Code/invalid`` for an agent or session id that cannot be sent.
    public func encoded() throws(WireError) -> [UInt8] {
        var writer = PktLineWriter()
        try writer.line("version 2")
        for (key, value) in entries {
            guard let value else {
                try writer.line("", key)
                continue
            }
            // A space separates features: all but an id or a name may have some.
            if key == "agent" || key == "session-id" { _ = try value.asVisible() }
            try writer.line("", key + "=" + value)
        }
        writer.flush()
        return writer.bytes
    }
}

extension UploadPackOffer {
    /// The features of version 2's `fetch`.
    fileprivate var fetchFeatures: ByteString {
        var features: ByteString = "shallow wait-for-done"
        if filter { features.bytes.append(" filter") }
        if refInWant { features.bytes.append(" ref-in-want") }
        if sidebandAll { features.bytes.append(" sideband-all") }
        if packfileURIs { features.bytes.append(" packfile-uris") }
        return features
    }
}

extension ProtocolVersion {
    /// The highest version that `parameters` ask for, the value of HTTP's `Git-Protocol` header or of
    /// `GIT_PROTOCOL`: `version=1:version=2`. What is not known is passed over.
    public init(askedBy parameters: ByteString) {
        let asked = ProtocolVersion.allCases.filter { version in
            parameters.split(0x3a).contains(ByteString("version=\(version.rawValue)"))
        }
        self = asked.max() ?? .v0
    }
}
