import GitCore
import Testing

@testable import GitWire

@Suite struct ServingAdvertisementTests {
    /// What the fixture's configuration makes real git offer.
    private func offer(_ server: Advertisement) -> UploadPackOffer {
        var offer = UploadPackOffer(server.objectFormat, agent: server.capabilities.agent)
        offer.filter = true
        offer.refInWant = true
        offer.sidebandAll = true
        offer.tipInWant = true
        offer.reachableInWant = true
        // Newer gits offer it only where they are told to.
        offer.objectInfo = server.capabilities.has("object-info")
        return offer
    }

    private func written(
        _ writer: RefAdvertisementWriter, _ server: Advertisement, chunked: Bool = false
    ) throws -> [UInt8] {
        var writer = writer
        var bytes: [UInt8] = []
        for ref in server.refs?.refs ?? [] {
            try writer.ref(ref.name, ref.oid, peeled: ref.peeled)
            if chunked { bytes += writer.takeBytes() }
        }
        try writer.end(shallow: server.shallow)
        return bytes + writer.takeBytes()
    }

    @Test(arguments: ["sha1", "sha256"])
    func theCapabilitiesAreThoseOfRealGit(_ format: String) throws {
        let fixture = try GitFixture(objectFormat: format)
        let real = try fixture.infoRefs(.v2)
        let mine = try CapabilityAdvertisement(offer(try decodeAdvertisement(real))).encoded()
        #expect(ByteString(mine) == ByteString(real))
    }

    @Test func everythingThatVersionTwoCanOfferIsRead() throws {
        var offer = UploadPackOffer(.sha256, agent: "apus/1")
        offer.filter = true
        offer.packfileURIs = true
        offer.objectInfo = true
        offer.bundleURI = true
        offer.unborn = .allowed
        offer.sessionID = "s1"
        let got = try decodeAdvertisement(try CapabilityAdvertisement(offer).encoded())
        #expect(got.version == .v2)
        #expect(got.objectFormat == .sha256)
        #expect(got.capabilities.agent == "apus/1")
        #expect(got.capabilities.value("session-id") == "s1")
        #expect(got.capabilities.value("fetch") == "shallow wait-for-done filter packfile-uris")
        #expect(!got.capabilities.has(feature: "unborn", of: "ls-refs"))
        for key: ByteString in ["ls-refs", "server-option", "object-info", "bundle-uri"] {
            #expect(got.capabilities.has(key))
        }
    }

    @Test(arguments: ["sha1", "sha256"], [ProtocolVersion.v0, .v1])
    func theRefsAreThoseOfRealGit(_ format: String, _ version: ProtocolVersion) throws {
        let fixture = try GitFixture(objectFormat: format)
        let real = try fixture.infoRefs(version)
        let server = try decodeAdvertisement(real)
        let symrefs = server.capabilities.symrefs.map { (name: $0.key, target: $0.value) }
        let writer = try RefAdvertisementWriter(
            offer(server), version: version, symrefs: symrefs, overHTTP: true)
        #expect(ByteString(try written(writer, server)) == ByteString(real))
        #expect(ByteString(try written(writer, server, chunked: true)) == ByteString(real))
    }

    /// As Git does from 2.41 on; before, it told its capabilities to nobody.
    @Test func anEmptyRepositoryShowsItsCapabilities() throws {
        var writer = try RefAdvertisementWriter(
            UploadPackOffer(.sha256), version: .v1, overHTTP: false)
        try writer.end()
        let bytes = writer.takeBytes()
        let zeros = String(repeating: "0", count: 64)
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.hasPrefix("000eversion 1\n"))
        #expect(text.dropFirst(18).hasPrefix("\(zeros) capabilities^{}\0multi_ack "))
        let got = try decodeAdvertisement(bytes, .whole, .connection)
        #expect(got.refs?.refs.isEmpty == true && got.capabilities.has("no-done"))
        #expect(got.objectFormat == .sha256)
    }

    @Test func aShallowServerIsShownAsRealGitShowsIt() throws {
        let fixture = try GitFixture()
        let shallow = fixture.directory.appendingPathComponent("shallow").path
        try fixture.git([
            "-c", "protocol.version=0", "clone", "-q", "--bare", "--depth=1",
            "file://\(fixture.repository)", shallow,
        ])
        #expect(fixture.lastStatus == 0, "\(fixture.lastError)")
        let real = try fixture.git([
            "upload-pack", "--http-backend-info-refs", shallow,
        ])
        let server = try decodeAdvertisement(real, .whole, .connection)
        try #require(server.shallow.count == 1)
        let symrefs = server.capabilities.symrefs.map { (name: $0.key, target: $0.value) }
        let offer = UploadPackOffer(.sha1, agent: server.capabilities.agent)
        let writer = try RefAdvertisementWriter(
            offer, version: .v0, symrefs: symrefs, overHTTP: false)
        #expect(ByteString(try written(writer, server)) == ByteString(real))
    }

    @Test(arguments: ProtocolVersion.allCases, [true, false])
    func receivePackIsShownAsRealGitShowsIt(
        _ version: ProtocolVersion, _ hasOptions: Bool
    ) throws {
        let fixture = try GitFixture()
        try fixture.git([
            "-C", fixture.repository, "config", "receive.advertisePushOptions", "\(hasOptions)",
        ])
        try fixture.git(["-C", fixture.repository, "config", "http.receivePack", "true"])
        // Asked for version 2, git's web program forgets the service's name.
        let real = try fixture.infoRefs(
            version == .v2 ? .v0 : version, service: "git-receive-pack")
        let server = try decodeAdvertisement(
            real, .whole, .http(service: "git-receive-pack"))
        var offer = ReceivePackOffer(.sha1, agent: server.capabilities.agent)
        offer.pushOptions = hasOptions
        let writer = try RefAdvertisementWriter(offer, version: version, overHTTP: true)
        #expect(ByteString(try written(writer, server)) == ByteString(real))
    }

    @Test(arguments: Feeding.allCases)
    func aReceivePackWithoutRefsShowsWhatElseItHas(_ feeding: Feeding) throws {
        var writer = try RefAdvertisementWriter(
            ReceivePackOffer(.sha1), version: .v0, overHTTP: false)
        try writer.have(oidA)
        try writer.end()
        let bytes = writer.takeBytes()
        #expect(ByteString(bytes).printable.contains("\(oidA) .have\\x00report-status "))
        let got = try decodeAdvertisement(bytes, feeding, .connection)
        #expect(got.capabilities.has("atomic") && got.capabilities.has("ofs-delta"))
    }

    @Test func manyRefsAreHandedOutInPieces() throws {
        let server = UploadPackOffer(.sha1)
        var whole = try RefAdvertisementWriter(server, version: .v0, overHTTP: true)
        var inPieces = whole
        var bytes: [UInt8] = []
        for number in 0 ..< 20_000 {
            let name = try #require(RefName(ByteString("refs/heads/b\(10_000_000 + number)")))
            try whole.ref(name, oidA, peeled: oidB)
            try inPieces.ref(name, oidA, peeled: oidB)
            if inPieces.count > 10_000 { bytes += inPieces.takeBytes() }
            #expect(inPieces.count < 11_000)
        }
        try whole.end()
        try inPieces.end()
        bytes += inPieces.takeBytes()
        #expect(bytes == whole.takeBytes())
        #expect(try decodeAdvertisement(bytes).refs?.refs.count == 20_000)
    }

    @Test(arguments: ["", "a b", "x\n", "\u{7f}"])
    func whatWouldPassForSomethingElseIsNotWritten(_ agent: String) throws {
        let agent = ByteString(agent)
        let upload = UploadPackOffer(.sha1, agent: agent)
        var receive = ReceivePackOffer(.sha1)
        receive.sessionID = agent
        #expect(
            code { () throws(WireError) in _ = try CapabilityAdvertisement(upload).encoded() }
                == .invalid)
        #expect(
            code { () throws(WireError) in
                _ = try RefAdvertisementWriter(upload, version: .v0, overHTTP: true)
            } == .invalid)
        #expect(
            code { () throws(WireError) in
                _ = try RefAdvertisementWriter(receive, version: .v0, overHTTP: true)
            } == .invalid)
    }

    @Test(arguments: [
        ("", ProtocolVersion.v0), ("version=2", .v2), ("version=1", .v1), ("version=0", .v0),
        ("version=1:version=2", .v2), ("version=2:version=1:x=3", .v2), ("version=3", .v0),
        ("version=22", .v0), ("Version=2", .v0), (":::", .v0),
    ])
    func theHighestVersionAskedForIsSpoken(_ parameters: String, _ version: ProtocolVersion) {
        #expect(ProtocolVersion(askedBy: ByteString(parameters)) == version)
    }
}
