import GitCore
import Testing

@testable import GitWire

@Suite struct AdvertisementTests {
    // MARK: real git

    @Test(arguments: Feeding.allCases, [ProtocolVersion.v0, .v1])
    func readsRealRefs(_ feeding: Feeding, _ version: ProtocolVersion) throws {
        let fixture = try GitFixture()
        let main = try fixture.oid("main")
        let got = try decodeAdvertisement(try fixture.infoRefs(version), feeding)
        #expect(got.version == version)
        #expect(got.objectFormat == .sha1)
        #expect(got.capabilities.has("multi_ack_detailed"))
        #expect(got.capabilities.agent?.hasPrefix("git/") == true)
        let refs = try #require(got.refs)
        #expect(refs.head == .symbolic(try #require(RefName("refs/heads/main")), main))
        #expect(refs.skippedCount == 0)
        let shown = refs.refs.map { "\($0.oid) \($0.name) \($0.peeled.map(\.hex) ?? "-")" }
        let annotated = try fixture.oid("annotated")
        let nested = try fixture.oid("nested")
        #expect(
            shown == [
                "\(main) HEAD -", "\(try fixture.oid("dev")) refs/heads/dev -",
                "\(main) refs/heads/main -", "\(annotated) refs/tags/annotated \(main)",
                "\(try fixture.oid("light")) refs/tags/light -",
                "\(nested) refs/tags/nested \(main)",
            ])
    }

    @Test(arguments: Feeding.allCases) func readsRealCapabilities(_ feeding: Feeding) throws {
        let fixture = try GitFixture()
        let got = try decodeAdvertisement(try fixture.infoRefs(.v2), feeding)
        #expect(got.version == .v2)
        #expect(got.refs == nil)
        #expect(got.capabilities.has(feature: "unborn", of: "ls-refs"))
        #expect(got.capabilities.has(feature: "filter", of: "fetch"))
        #expect(!got.capabilities.has(feature: "filt", of: "fetch"))
        #expect(got.capabilities.value("object-format") == "sha1")
    }

    @Test(arguments: ProtocolVersion.allCases)
    func readsASHA256Repository(_ version: ProtocolVersion) throws {
        let fixture = try GitFixture(objectFormat: "sha256")
        let got = try fixture.advertisement(version)
        #expect(got.objectFormat == .sha256)
        if version < .v2 { #expect(got.refs?.refs.count == 6) }
    }

    @Test(arguments: [ProtocolVersion.v0, .v1])
    func readsARealEmptyRepository(_ version: ProtocolVersion) throws {
        let got = try GitFixture(nil).advertisement(version)
        #expect(got.refs?.refs.isEmpty == true)
        #expect(got.refs?.head == .absent)
    }

    @Test func readsARealDetachedHead() throws {
        let fixture = try GitFixture()
        let oid = try fixture.oid("dev")
        try fixture.git(["-C", fixture.repository, "update-ref", "--no-deref", "HEAD", oid.hex])
        let refs = try #require(try fixture.advertisement(.v0).refs)
        #expect(refs.head == .detached(oid))
        #expect(refs.branchAtHead() == RefName("refs/heads/dev"))
    }

    @Test func readsAShallowServer() throws {
        let fixture = try GitFixture()
        let clone = fixture.directory.appendingPathComponent("shallow").path
        try fixture.git([
            "-c", "protocol.version=0", "clone", "-q", "--bare", "--depth=1",
            "file://" + fixture.repository, clone,
        ])
        let bytes = try fixture.git(["upload-pack", "--http-backend-info-refs", clone])
        let got = try decodeAdvertisement(bytes, .whole, .connection)
        #expect(got.shallow == [try fixture.oid("main")])
    }

    // MARK: by hand

    private let service = pkt("# service=git-upload-pack\n") + flush

    private func refs(_ lines: [String], end: [UInt8] = flush) throws(WireError) -> AdvertisedRefs?
    {
        try decodeAdvertisement(service + lines.flatMap { pkt($0) } + end).refs
    }

    @Test func versionTwoMayComeWithoutTheServicesName() throws {
        let got = try decodeAdvertisement(pkt("version 2\n") + pkt("fetch") + flush)
        #expect(got.version == .v2)
    }

    @Test func anUnbornHeadIsKnownByItsSymref() throws {
        let zeros = ObjectID.zero(.sha1)
        let got = try refs(["\(zeros) capabilities^{}\0symref=HEAD:refs/heads/trunk"])
        #expect(got?.head == .unborn(try #require(RefName("refs/heads/trunk"))))
    }

    @Test func anOldEmptyRepositorySaysNothing() throws {
        #expect(try refs([])?.refs.isEmpty == true)
    }

    @Test(arguments: [
        "HEAD:HEAD", "HEAD:", ":", "HEAD", "", "HEAD:refs/heads/../x", "HEAD:/etc/passwd",
        "HEAD:ORIG_HEAD", "HEAD:refs/heads/a:b", "HEAD:refs",
    ])
    func aSymrefToNoRefIsNone(_ value: String) throws {
        let got = try refs(["\(oidA) HEAD\0symref=\(value)\n"])
        #expect(got?.head == .detached(oidA))
        #expect(got?.refs.first?.symrefTarget == nil)
    }

    @Test func skipsNamesThatAreNone() throws {
        let got = try refs([
            "\(oidA) refs/heads/a..b\0agent=x", "\(oidB) refs/heads/a..b^{}", "\(oidA) ../../x",
            "\(oidA) refs/heads/ok", "\(oidB) refs/heads/ok^{}", "\(oidA) master",
        ])
        #expect(got?.refs.map(\.name) == [try #require(RefName("refs/heads/ok"))])
        #expect(got?.refs.first?.peeled == oidB)
        #expect(got?.skippedCount == 3)
        #expect(got?.skippedNames == ["refs/heads/a..b", "../../x", "master"])
    }

    @Test func guessesTheBranchOfAServerThatDoesNotTell() throws {
        let got = try #require(
            try refs([
                "\(oidA) HEAD\0", "\(oidB) refs/heads/a", "\(oidA) refs/heads/b",
                "\(oidA) refs/heads/master",
            ]))
        #expect(got.branchAtHead() == RefName("refs/heads/master"))
        #expect(got.branchAtHead(preferring: RefName("refs/heads/b")) == RefName("refs/heads/b"))
        #expect(
            got.branchAtHead(preferring: RefName("refs/heads/a")) == RefName("refs/heads/master"))
    }

    @Test(arguments: [
        ["zz HEAD\0x"], ["\(oidA)"], ["\(oidA) HEAD\0a\u{1}b"],
        ["\(oidA) HEAD\0=x"], ["\(oidA) HEAD\0", "\(oidB) refs/heads/x\0"],
        ["\(oidA) HEAD\0", "\(oidB) refs/heads/x^{}"],
        ["\(oidA) HEAD\0", "\(oidB) HEAD^{}", "\(oidB) HEAD^{}"], ["\(oidA) HEAD^{}\0"],
        ["\(oidA) HEAD\0", "\(oidA) HEAD"], ["\(ObjectID.zero(.sha1)) HEAD\0"],
        ["\(oidA) refs/heads/b\0", "\(oidA) refs/heads/a", "\(oidA) refs/heads/b"],
        ["\(oidA) capabilities^{}\0"],
        ["\(ObjectID.zero(.sha1)) capabilities^{}\0", "\(oidA) refs/heads/a"],
        ["\(oidA) HEAD\0", "shallow \(oidA)", "\(oidB) refs/heads/a"],
        ["\(oidA) HEAD\0", "shallow xx"], ["\(oidA) HEAD\0object-format=sha256"], [""], ["\n"],
        ["version 1", "version 1"], ["# service=git-upload-pack"],
    ])
    func refusesWhatIsNoAdvertisement(_ lines: [String]) {
        #expect(code { () throws(WireError) in _ = try refs(lines) } == .malformed)
    }

    @Test func refusesVersionsAndFormatsItDoesNotKnow() {
        for lines in [["version 3"], ["version "], ["\(oidA) HEAD\0object-format=sha512"]] {
            #expect(code { () throws(WireError) in _ = try refs(lines) } == .unsupported)
        }
    }

    @Test func refusesSpecialPacketsAndWhatFollowsTheEnd() {
        let first = ["\(oidA) HEAD\0"]
        for end in [delim + flush, Array("0002".utf8), flush + flush, flush + pkt("x")] {
            #expect(code { () throws(WireError) in _ = try refs(first, end: end) } == .malformed)
        }
        for bytes in [
            pkt("# service=git-receive-pack\n") + flush + pkt("\(oidA) HEAD\0") + flush,
            pkt("# service=git-upload-pack\n") + pkt("\(oidA) HEAD\0") + flush,
            pkt("version 1\n") + pkt("\(oidA) HEAD\0") + flush,
        ] {
            #expect(
                code { () throws(WireError) in _ = try decodeAdvertisement(bytes) } == .malformed)
        }
    }

    @Test func everyCutIsToldAsTruncated() throws {
        let fixture = try GitFixture()
        for version in [ProtocolVersion.v0, .v2] {
            let whole = try fixture.infoRefs(version)
            for count in 0 ..< whole.count {
                let cut = Array(whole.prefix(count))
                let got = code { () throws(WireError) in _ = try decodeAdvertisement(cut) }
                // Before the first five bytes it could still be anything.
                #expect(got == (count < 5 ? .notSmart : .truncated), "\(count) bytes")
            }
        }
    }

    @Test(arguments: Feeding.allCases) func anErrorPacketIsTheServersError(_ feeding: Feeding) {
        for bytes in [
            pkt("ERR no such \u{1b}repo\n"),
            service + pkt("ERR no such \u{1b}repo\n"),
            pkt("version 2\n") + pkt("ERR no such \u{1b}repo\n"),
        ] {
            let error = #expect(throws: WireError.self) { try decodeAdvertisement(bytes, feeding) }
            #expect(error?.code == .server)
            #expect(error?.message == "remote error: no such \\x1brepo")
        }
    }

    @Test(
        arguments: [
            ("", "empty"), ("<!DOCTYPE html><html>", "web page"),
            ("\n\u{feff}\n  <html>", "starts"),
            ("\u{feff}  <html>", "web page"), ("Not Found\n", "'Not Found"), ("00", "starts with"),
            ("\(oidA)\trefs/heads/main\n", "dumb HTTP"),
            ("95dcfa3633004da0049d3d0fa03f80589cbcaf31\trefs/heads/maint\n", "dumb HTTP"),
            ("95dcfa3633004da0049d3d0fa03f80589cbcaf31 refs/heads/maint\n", "starts with"),
        ], Feeding.allCases)
    func tellsWhatIsNoSmartServer(_ reply: (text: String, named: String), _ feeding: Feeding) {
        for tail in ["", String(repeating: "x ", count: 4_096)]
        where tail.isEmpty || reply.text != "" {
            if !tail.isEmpty, reply.text == "00" { continue }
            let error = #expect(throws: WireError.self) {
                try decodeAdvertisement(Array((reply.text + tail).utf8), feeding)
            }
            #expect(error?.code == .notSmart)
            #expect(error?.message.contains(reply.named) == true, "\(error?.message ?? "")")
        }
    }

    @Test func keepsItsLimits() throws {
        var limits = WireLimits()
        limits.refs = 2
        limits.capabilities = 2
        let names = (0 ..< 3).map { pkt("\(oidA) refs/heads/\($0)") }
        let bytes = service + names.joined() + flush
        func limited(_ bytes: [UInt8]) -> WireError.Code? {
            code { () throws(WireError) in _ = try decodeAdvertisement(bytes, limits: limits) }
        }
        #expect(limited(bytes) == .limit)
        #expect(limited(service + names.prefix(2).joined() + flush) == nil)
        #expect(limited(pkt("version 2") + pkt("a") + pkt("b") + flush) == nil)
        #expect(limited(pkt("version 2") + pkt("a") + pkt("b") + pkt("c") + flush) == .limit)
        limits.refs = 3
        limits.advertisementBytes = 100
        #expect(limited(bytes) == .limit)
    }
}

@Suite struct CapabilitiesTests {
    @Test func readsKeysWithAndWithoutValues() throws {
        let got = try Capabilities(
            spaceSeparated: " multi_ack  agent=git/1=2 symref=a symref=b x= ")
        #expect(got.count == 5)
        #expect(got.has("multi_ack"))
        #expect(got.value("multi_ack") == nil)
        #expect(got.agent == "git/1=2")
        #expect(got.values("symref") == ["a", "b"])
        #expect(got.value("x") == "")
        #expect(!got.has("multi"))
    }

    @Test func theFirstObjectFormatCounts() throws {
        let got = try Capabilities(spaceSeparated: "object-format=sha256 object-format=sha1")
        #expect(try got.objectFormat() == .sha256)
    }
}
