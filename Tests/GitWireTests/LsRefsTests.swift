import GitCore
import Testing

@testable import GitWire

@Suite struct LsRefsTests {
    @Test(arguments: Feeding.allCases, ["sha1", "sha256"])
    func realGitAnswersTheRequest(_ feeding: Feeding, _ format: String) throws {
        let fixture = try GitFixture(objectFormat: format)
        let advertisement = try fixture.advertisement(.v2)
        let request = LsRefsRequest(agent: "apus/test")
        let answer = try fixture.uploadPack(try request.encoded(for: advertisement), .v2)
        let got = try decodeLsRefs(answer, advertisement, feeding)
        let old = try #require(try fixture.advertisement(.v0).refs)
        #expect(got.refs.map(\.name) == old.refs.map(\.name))
        #expect(got.refs.map(\.oid) == old.refs.map(\.oid))
        #expect(got.refs.map(\.peeled) == old.refs.map(\.peeled))
        #expect(got.head == old.head)
    }

    @Test func prefixesLimitTheRefs() throws {
        let fixture = try GitFixture()
        let advertisement = try fixture.advertisement(.v2)
        let request = LsRefsRequest(prefixes: ["refs/heads/", "refs/tags/l"])
        let answer = try fixture.uploadPack(try request.encoded(for: advertisement), .v2)
        let got = try decodeLsRefs(answer, advertisement)
        #expect(
            got.refs.map(\.name.bytes) == ["refs/heads/dev", "refs/heads/main", "refs/tags/light"])
        #expect(got.head == .absent)
    }

    @Test func realGitTellsWhereAnUnbornHeadPoints() throws {
        let fixture = try GitFixture(nil)
        let advertisement = try fixture.advertisement(.v2)
        var request = LsRefsRequest()
        let answer = try fixture.uploadPack(try request.encoded(for: advertisement), .v2)
        let got = try decodeLsRefs(answer, advertisement)
        #expect(got.refs.isEmpty)
        #expect(got.head == .unborn(try #require(RefName("refs/heads/main"))))
        request.unborn = false
        let less = try fixture.uploadPack(try request.encoded(for: advertisement), .v2)
        #expect(try decodeLsRefs(less, advertisement).head == .absent)
    }

    @Test func asksOnlyWhatTheServerHas() throws {
        var bare = Capabilities()
        try bare.append("ls-refs")
        let advertisement = Advertisement(
            version: .v2, capabilities: bare, objectFormat: .sha1, refs: nil, shallow: [])
        var request = LsRefsRequest(agent: "apus/test")
        let text = String(decoding: try request.encoded(for: advertisement), as: UTF8.self)
        #expect(text == "0014command=ls-refs\n00010009peel\n000csymrefs\n0000")
        request.serverOptions = ["x"]
        #expect(
            code { () throws(WireError) in _ = try request.encoded(for: advertisement) }
                == .unsupported)
        #expect(
            code { () throws(WireError) in
                _ = try LsRefsRequest().encoded(
                    for: Advertisement(
                        version: .v0, capabilities: bare, objectFormat: .sha1, refs: nil,
                        shallow: []))
            } == .unsupported)
    }

    @Test func refusesToSendWhatCannotBeSent() throws {
        let advertisement = try Advertisement.v2(others: ["agent=x"])
        for request in [
            LsRefsRequest(prefixes: ["refs/\nheads"]), LsRefsRequest(agent: "a b"),
            LsRefsRequest(agent: ""), LsRefsRequest(agent: "a\n"),
        ] {
            #expect(
                code { () throws(WireError) in _ = try request.encoded(for: advertisement) }
                    == .invalid)
        }
    }

    private func head(_ lines: [String]) throws(WireError) -> AdvertisedRefs {
        guard let server = try? Advertisement.v2() else { throw WireError(.invalid, "") }
        return try decodeLsRefs(lines.flatMap { pkt($0) } + flush, server)
    }

    @Test func ignoresWhatItDoesNotKnow() throws {
        let got = try head([
            "\(oidA) HEAD symref-target:HEAD colour:blue", "\(oidB) refs/heads/a peeled:\(oidC)\n",
            "\(oidA) refs/x.lock", "unborn refs/remotes/o/HEAD symref-target:refs/remotes/o/x",
            "unborn HEAD",
        ])
        #expect(got.head == .detached(oidA))
        #expect(got.refs.last?.peeled == oidC)
        #expect(got.refs.count == 2)
        #expect(got.skippedNames == ["refs/x.lock"])
        #expect(try head(["unborn HEAD symref-target:HEAD"]).head == .absent)
    }

    @Test(arguments: [
        [""], ["\(oidA)"], ["\(oidA) "], ["\(oidA)\tHEAD"], ["xyz HEAD"], ["unborn "],
        ["\(oidA) HEAD peeled:12"], ["\(oidA) HEAD peeled:\(oidA) peeled:\(oidA)"],
        ["\(oidA) HEAD symref-target:refs/a/b symref-target:refs/a/b"],
        ["\(oidA) refs/heads/a\0b"], ["\(oidA) HEAD", "\(oidB) HEAD"],
        ["\(ObjectID.zero(.sha1)) HEAD"],
    ])
    func refusesWhatIsNoAnswer(_ lines: [String]) {
        #expect(code { () throws(WireError) in _ = try head(lines) } == .malformed)
    }

    @Test func keepsItsLimits() throws {
        let server = try Advertisement.v2()
        let names = (0 ..< 3).map { pkt("\(oidA) refs/heads/\($0)") }
        func limited(_ limits: WireLimits) -> WireError.Code? {
            code { () throws(WireError) in
                _ = try decodeLsRefs(names.joined() + flush, server, limits: limits)
            }
        }
        var limits = WireLimits()
        limits.refs = 3
        #expect(limited(limits) == nil)
        limits.refs = 2
        #expect(limited(limits) == .limit)
        limits.refs = 3
        limits.advertisementBytes = 100
        #expect(limited(limits) == .limit)
    }

    @Test func itsEndIsChecked() throws {
        let server = try Advertisement.v2()
        func decode(_ bytes: [UInt8]) -> WireError.Code? {
            code { () throws(WireError) in _ = try decodeLsRefs(bytes, server) }
        }
        #expect(decode([]) == .truncated)
        #expect(decode(pkt("\(oidA) HEAD")) == .truncated)
        #expect(decode(flush + Array("00".utf8)) == .truncated)
        #expect(decode(flush + flush) == .malformed)
        #expect(decode(delim + flush) == .malformed)
        #expect(decode(pkt("ERR go away") + flush) == .server)
    }
}
