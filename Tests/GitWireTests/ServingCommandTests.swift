import GitCore
import Testing

@testable import GitWire

/// Reads a version 2 request in pieces.
func decodeCommand(
    _ body: [UInt8], _ offer: UploadPackOffer, _ feeding: Feeding = .whole,
    limits: ServingLimits = .standard
) throws(WireError) -> CommandRequest? {
    if feeding == .whole { return try CommandRequest(parsing: body, for: offer, limits: limits) }
    var decoder = RequestDecoder(CommandGrammar(offer, limits))
    for chunk in feeding.chunks(body) { try decoder.push(chunk) }
    return try decoder.finish()
}

extension UploadPackOffer {
    /// Everything.
    static func all(_ format: ObjectFormat = .sha1) -> UploadPackOffer {
        var offer = UploadPackOffer(format, agent: "apus/server")
        offer.filter = true
        offer.refInWant = true
        offer.sidebandAll = true
        offer.packfileURIs = true
        offer.objectInfo = true
        offer.bundleURI = true
        offer.sessionID = "s"
        return offer
    }

    /// What a client sees of it.
    func shown() throws -> Advertisement {
        try decodeAdvertisement(try CapabilityAdvertisement(self).encoded())
    }
}

extension CommandRequest {
    var lsRefs: LsRefsArguments? {
        if case .lsRefs(let arguments) = command { arguments } else { nil }
    }
    var fetch: UploadPackRequest? {
        if case .fetch(let request) = command { request } else { nil }
    }
}

@Suite struct ServingCommandTests {
    private func lines(_ texts: [String]) -> [UInt8] {
        texts.flatMap { $0 == "0001" || $0 == "0000" ? Array($0.utf8) : pkt($0 + "\n") }
    }

    @Test(arguments: Feeding.allCases, [ObjectFormat.sha1, .sha256])
    func whatTheClientWritesIsRead(_ feeding: Feeding, _ format: ObjectFormat) throws {
        let offer = UploadPackOffer.all(format)
        var request = LsRefsRequest(prefixes: ["refs/tags/", "refs/heads/", "HEAD"], agent: "a/1")
        request.symrefs = false
        request.serverOptions = ["x=1", "", "y z"]
        let got = try #require(
            try decodeCommand(try request.encoded(for: try offer.shown()), offer, feeding))
        #expect(got.agent == "a/1")
        #expect(got.serverOptions == request.serverOptions)
        let arguments = try #require(got.lsRefs)
        #expect(arguments.prefixes.list == ["HEAD", "refs/heads/", "refs/tags/"])
        #expect(arguments.peel && !arguments.symrefs && arguments.unborn)
    }

    @Test(arguments: Feeding.allCases)
    func requestsThatAskNothingAreNone(_ feeding: Feeding) throws {
        #expect(try decodeCommand([], .all(), feeding) == nil)
        #expect(try decodeCommand(flush, .all(), feeding) == nil)
    }

    @Test func aCommandMayHaveNoArguments() throws {
        let got = try decodeCommand(lines(["command=ls-refs", "0000"]), .all())
        #expect(got?.lsRefs?.prefixes.list == [])
        let late = try decodeCommand(lines(["agent=x", "command=ls-refs", "0001", "0000"]), .all())
        #expect(late?.agent == "x")
        let bundles = try decodeCommand(lines(["command=bundle-uri", "0001", "0000"]), .all())
        guard case .bundleURI = bundles?.command else { return #expect(Bool(false)) }
    }

    /// Each body gets the same words from real git.
    @Test(arguments: [
        ["nonsense", "0000"], ["command=nonsense", "0000"], ["command=ls-refs=x", "0000"],
        ["agent=x", "0000"], ["agent=x", "0001", "0000"],
        ["command=ls-refs", "command=fetch", "0000"], ["ls-refs", "0000"],
        ["command=ls-refs", "object-format=sha256", "0000"],
        ["command=ls-refs", "object-format=md5", "0000"],
        ["command=ls-refs", "object-format", "0000"],
        ["command=ls-refs", "session-id=3", "0000"],
        ["command=ls-refs", "0001", "peel ", "0000"],
        ["command=ls-refs", "0001", "nonsense", "0000"],
        ["command=fetch", "0001", "nonsense", "0000"],
        ["command=fetch", "0001", "filter blob:none", "filter tree:0", "0000"],
    ])
    func whatIsNotOfferedIsRefusedInTheWordsOfGit(_ texts: [String]) throws {
        let fixture = try GitFixture()
        _ = try fixture.uploadPack(lines(texts), .v2)
        #expect(fixture.lastStatus != 0)
        var offer = UploadPackOffer.all()
        offer.packfileURIs = false
        offer.sessionID = nil
        offer.objectInfo = false
        do {
            _ = try decodeCommand(lines(texts), offer)
            #expect(Bool(false), "taken")
        } catch {
            #expect(error.code == .unsupported)
            // Git quotes nothing that could do harm here.
            #expect(fixture.lastError.contains(error.message), "\(error) \(fixture.lastError)")
        }
    }

    /// What git 2.39 takes though it does not offer it, or offers always.
    @Test(arguments: [
        ["command=object-info"], ["command=bundle-uri"], ["command=ls-refs", "server-option=x"],
        ["command=ls-refs", "agent=x"], ["command=fetch", "0001", "packfile-uris https"],
        ["command=fetch", "0001", "want-ref refs/heads/x"], ["command=fetch", "0001", "filter x"],
        ["command=fetch", "0001", "sideband-all"],
    ])
    func whatIsNotOfferedIsRefused(_ texts: [String]) throws {
        var bare = UploadPackOffer(.sha1)
        bare.serverOptions = false
        let offer = bare
        let body = lines(texts + ["0000"])
        #expect(try decodeCommand(body, .all()) != nil)
        #expect(
            code { () throws(WireError) in _ = try decodeCommand(body, offer) } == .unsupported)
    }

    @Test(arguments: [
        (["0001"], WireError.Code.unsupported), (["command=ls-refs", "0001", "0001"], .malformed),
        (["command=ls-refs", "0001", "peel"], .truncated), (["command=ls-refs"], .truncated),
        (["command=ls-refs", "0001"], .truncated),
        (["command=ls-refs", "0000", "0000"], .malformed),
        (["command=ls-refs", "0000", "peel"], .malformed), (["0000", "peel"], .malformed),
        (["command=ls-refs", "agent=a\u{1b}", "0000"], .malformed),
        (["command=ls-refs", "server-option=a\nb", "0000"], .malformed),
        (["command=ls-refs", "server-option=a\0b", "0000"], .malformed),
        (["command=bundle-uri", "0001", "x", "0000"], .unsupported),
        (["command=object-info", "0001", "oid 12", "0000"], .malformed),
        (["command=object-info", "0001", "sizes", "0000"], .unsupported),
        (["command=fetch", "0001", "want 12", "0000"], .malformed),
        (["command=fetch", "0001", "have \(oidA)x", "0000"], .malformed),
        (["command=fetch", "0001", "shallow x", "0000"], .malformed),
        (["command=fetch", "0001", "deepen 0", "0000"], .malformed),
        (["command=fetch", "0001", "deepen -1", "0000"], .malformed),
        (["command=fetch", "0001", "deepen 99999999999999999999", "0000"], .malformed),
        (["command=fetch", "0001", "deepen 4294967297", "0000"], .malformed),
        (["command=fetch", "0001", "deepen 0x10", "0000"], .malformed),
        (["command=fetch", "0001", "deepen-since ", "0000"], .malformed),
        (["command=fetch", "0001", "deepen-since 18446744073709551615", "0000"], .malformed),
        (["command=fetch", "0001", "deepen-not a\0b", "0000"], .malformed),
        (["command=fetch", "0001", "deepen 1", "deepen-since 1", "0000"], .unsupported),
        (["command=fetch", "0001", "want-ref refs/heads/a..b", "0000"], .unsupported),
        (
            ["command=fetch", "0001", "want-ref refs/heads/a", "want-ref refs/heads/a", "0000"],
            .unsupported
        ),
        (["command=fetch", "0001", "packfile-uris a", "packfile-uris b", "0000"], .unsupported),
        (["command=fetch", "0001", "filter a\u{1}", "0000"], .malformed),
        (["command=fetch", "0001", "done=1", "0000"], .unsupported),
    ])
    func whatIsBrokenIsRefused(_ texts: [String], _ expected: WireError.Code) throws {
        for feeding in Feeding.allCases {
            #expect(
                code { () throws(WireError) in
                    _ = try decodeCommand(lines(texts), .all(), feeding)
                } == expected, "\(texts)")
        }
    }

    @Test func brokenFramesAreRefused() {
        let offer = UploadPackOffer.all()
        for (bytes, expected) in [
            ("0003", WireError.Code.malformed), ("zzzz", .malformed), ("0002", .malformed),
            ("00", .truncated), ("0010comm", .truncated),
        ] {
            #expect(
                code { () throws(WireError) in
                    _ = try decodeCommand(Array(bytes.utf8), offer)
                } == expected)
        }
    }

    @Test func thereAreLimits() throws {
        var limits = ServingLimits()
        limits.serverOptions = 2
        limits.objectInfos = 2
        limits.wants = 2
        limits.haves = 2
        limits.shallow = 2
        limits.deepenNot = 2
        let heads = [
            ("server-option=", "command=ls-refs", [String]()),
            ("oid ", "command=object-info", ["0001"]),
            ("want ", "command=fetch", ["0001"]), ("have ", "command=fetch", ["0001"]),
            ("shallow ", "command=fetch", ["0001"]), ("deepen-not ", "command=fetch", ["0001"]),
            ("want-ref refs/", "command=fetch", ["0001"]),
        ]
        for (keyword, command, delim) in heads {
            func body(_ count: Int) -> [UInt8] {
                lines(
                    [command] + delim
                        + [oidA, oidB, oidC].prefix(count).map {
                            keyword + ($0.description)
                        } + ["0000"])
            }
            let limits = limits
            #expect(
                code { () throws(WireError) in
                    _ = try decodeCommand(body(2), .all(), limits: limits)
                } == nil, "\(keyword)")
            #expect(
                code { () throws(WireError) in
                    _ = try decodeCommand(body(3), .all(), limits: limits)
                } == .limit, "\(keyword)")
        }
    }

    @Test func tooManyPrefixesAreAsNone() throws {
        var limits = ServingLimits()
        limits.refPrefixes = 3
        func prefixes(_ count: Int) throws -> [ByteString]? {
            let asked = (0 ..< count).map { "ref-prefix refs/\($0)" }
            return try decodeCommand(
                lines(["command=ls-refs", "0001"] + asked + ["0000"]), .all(), limits: limits)?
                .lsRefs?.prefixes.list
        }
        #expect(try prefixes(2) == ["refs/0", "refs/1"])
        #expect(try prefixes(3) == [])
        #expect(try prefixes(4) == [])
        #expect(ServingLimits.standard.refPrefixes == 65_536)
    }

    @Test func prefixesMatchAsOneByOne() {
        var generator = Generator(state: 7)
        func word() -> ByteString {
            ByteString(
                (0 ..< Int.random(in: 0 ..< 6, using: &generator)).map { _ in
                    UInt8.random(in: 0x61 ... 0x63, using: &generator)
                })
        }
        for _ in 0 ..< 2_000 {
            let list = (0 ..< Int.random(in: 0 ..< 6, using: &generator)).map { _ in word() }
            let name = word()
            let expected = list.isEmpty || list.contains { name.hasPrefix($0) }
            #expect(RefPrefixes(list).matches(name) == expected, "\(list) \(name)")
        }
    }

    @Test func unbornIsTakenByItsSetting() throws {
        let body = lines(["command=ls-refs", "0001", "unborn", "symrefs", "0000"])
        for (setting, expected) in [
            (UploadPackOffer.Unborn.ignored, false), (.allowed, true), (.advertised, true),
        ] {
            var offer = UploadPackOffer.all()
            offer.unborn = setting
            #expect(try decodeCommand(body, offer)?.lsRefs?.unborn == expected)
        }
    }

    // MARK: answers

    @Test(arguments: [
        [], ["peel"], ["symrefs"], ["peel", "symrefs", "unborn"],
        ["symrefs", "ref-prefix refs/tags/", "ref-prefix HE"], ["ref-prefix refs/x"],
    ])
    func theRefsAreToldAsRealGitTellsThem(_ arguments: [String]) throws {
        let fixture = try GitFixture()
        let body = lines(["command=ls-refs", "0001"] + arguments + ["0000"])
        let real = try fixture.uploadPack(body, .v2)
        let request = try #require(try decodeCommand(body, .all())?.lsRefs)
        var response = LsRefsResponse(request)
        for ref in try #require(try fixture.advertisement(.v0).refs).refs {
            try response.ref(
                ref.name, ref.oid, symrefTarget: ref.symrefTarget, peeled: ref.peeled)
        }
        response.end()
        #expect(ByteString(response.takeBytes()) == ByteString(real))
    }

    @Test(arguments: [
        [], ["unborn"], ["symrefs", "unborn"], ["symrefs", "unborn", "ref-prefix r"],
    ])
    func anUnbornHeadIsToldAsRealGitTellsIt(_ arguments: [String]) throws {
        let fixture = try GitFixture(nil)
        let body = lines(["command=ls-refs", "0001"] + arguments + ["0000"])
        let real = try fixture.uploadPack(body, .v2)
        var response = LsRefsResponse(try #require(try decodeCommand(body, .all())?.lsRefs))
        try response.unbornHead(try #require(RefName("refs/heads/main")))
        response.end()
        #expect(ByteString(response.takeBytes()) == ByteString(real))
    }

    @Test(arguments: [true, false], [true, false])
    func sizesAreToldAsRealGitTellsThem(_ size: Bool, _ hasIDs: Bool) throws {
        let fixture = try GitFixture()
        try fixture.git([
            "-C", fixture.repository, "config", "transfer.advertiseObjectInfo", "true",
        ])
        let blob = try fixture.oid("main:a.txt")
        let asked = hasIDs ? ["oid \(blob)", "oid \(oidA)", "oid \(blob)"] : []
        let body = lines(
            ["command=object-info", "0001"] + (size ? ["size"] : []) + asked + ["0000"])
        let real = try fixture.uploadPack(body, .v2)
        let request = try #require(try decodeCommand(body, .all()))
        guard case .objectInfo(let arguments) = request.command else {
            return #expect(Bool(false))
        }
        #expect(arguments.size == size)
        var response = ObjectInfoResponse(arguments)
        for oid in arguments.oids { try response.object(oid, size: oid == blob ? 6 : nil) }
        response.end()
        // Git 2.39 tells sizes or not, as it comes, to who has not asked for them.
        var expected = real
        if !size, hasIDs {
            expected = pkt("\(blob)") + pkt("\(oidA) ") + pkt("\(blob)") + flush
        }
        #expect(ByteString(response.takeBytes()) == ByteString(expected))
    }

    @Test func bundleURIsAreLinesOfConfiguration() throws {
        var response = BundleURIResponse()
        try response.entry("bundle.version", "1")
        #expect(
            code { () throws(WireError) in try response.entry("bundle.x", "a\nb") } == .invalid)
        response.end()
        #expect(response.takeBytes() == pkt("bundle.version=1") + flush)
    }
}
