import GitCore
import Testing

@testable import GitWire

/// A push, and the pack that came with it.
func decodePush(
    _ body: [UInt8], _ offer: ReceivePackOffer, _ feeding: Feeding = .whole,
    limits: ServingLimits = .standard
) throws(WireError) -> (request: PushRequest?, pack: [UInt8]) {
    var decoder = PushRequestDecoder(offer, limits: limits)
    var request: PushRequest?
    var pack: [UInt8] = []
    for chunk in feeding.chunks(body) {
        decoder.push(chunk)
        while let event = try decoder.next() {
            switch event {
            case .request(let whole): request = whole
            case .pack(let piece): pack += piece
            }
        }
    }
    try decoder.finish()
    return (request, pack)
}

@Suite struct ServingPushTests {
    private let zero = ObjectID.zero(.sha1)
    private let offer: ReceivePackOffer = {
        var offer = ReceivePackOffer(.sha1, agent: "x")
        offer.pushOptions = true
        return offer
    }()

    private func lines(_ texts: [String]) -> [UInt8] {
        texts.flatMap { $0 == "0001" || $0 == "0000" ? Array($0.utf8) : pkt($0 + "\n") }
    }

    @Test(arguments: Feeding.allCases)
    func everythingIsRead(_ feeding: Feeding) throws {
        let list =
            " report-status report-status-v2 side-band-64k quiet atomic push-options ofs-delta "
            + "object-format=sha1 agent=a/1 session-id=s nonsense"
        let body =
            lines([
                "shallow \(oidC)", "shallow \(oidC)", "\(zero) \(oidA) refs/heads/new\0\(list)",
                "\(oidA) \(zero) refs/heads/old", "shallow \(oidB)",
                "\(oidA) \(oidB) refs/heads/a b", "\(oidA) \(oidB) HEAD", "0000", "opt", "o=p q",
                "", "0000",
            ]) + Array("PACK0000".utf8)
        let (got, pack) = try decodePush(body, offer, feeding)
        let request = try #require(got)
        #expect(
            request.commands.map(\.name) == [
                "refs/heads/new", "refs/heads/old", "refs/heads/a b", "HEAD",
            ])
        #expect(request.commands.map(\.isCreate) == [true, false, false, false])
        #expect(request.commands.map(\.isDelete) == [false, true, false, false])
        #expect(request.commands.map { $0.ref != nil } == [true, true, false, false])
        #expect(request.shallow == [oidC, oidB])
        #expect(request.report == .v2 && request.sideBand == .large)
        #expect(request.quiet && request.atomic)
        #expect(request.pushOptions == ["opt", "o=p q", ""])
        #expect(request.agent == "a/1" && request.sessionID == "s")
        #expect(pack == Array("PACK0000".utf8))
    }

    @Test(arguments: Feeding.allCases)
    func deletesBringNoPack(_ feeding: Feeding) throws {
        let body = lines(["\(oidA) \(zero) refs/heads/x\0report-status", "0000"])
        let (request, pack) = try decodePush(body, offer, feeding)
        #expect(request?.hasPack == false && request?.report == .v1 && pack.isEmpty)
        #expect(request?.pushOptions == nil && request?.sideBand == SideBandSize.none)
        #expect(
            code { () throws(WireError) in
                _ = try decodePush(body + Array("PACK".utf8), offer, feeding)
            } == .malformed)
    }

    @Test func aFlushPacketAloneChangesNothing() throws {
        let (request, pack) = try decodePush(flush, offer)
        #expect(request?.commands.isEmpty == true && pack.isEmpty)
        #expect(request?.report == PushReport.Version.none)
    }

    @Test(arguments: [
        ([], WireError.Code.truncated), (["\(oidA) \(oidB) refs/heads/x"], .truncated),
        (["\(oidA) \(oidB) refs/heads/x\0 push-options", "0000"], .truncated),
        (["\(oidA) \(oidB) refs/heads/x\0 push-options", "0000", "a\u{7}", "0000"], .malformed),
        (["\(oidA) \(oidB) refs/heads/x\0 push-options", "0000", "a\nb", "0000"], .malformed),
        (["\(oidA) \(oidB)", "0000"], .malformed), (["\(oidA) \(oidB) ", "0000"], .malformed),
        (["\(oidA) refs/heads/x", "0000"], .malformed), (["x", "0000"], .malformed),
        (["\(oidA) \(oidB) refs/heads/x\u{1b}", "0000"], .malformed),
        (["\(oidA) \(oidB) refs/heads/x\0 a\u{1b}", "0000"], .malformed),
        (["\(oidA) \(oidB) refs/heads/x", "\(oidA) \(oidB) refs/heads/x", "0000"], .malformed),
        (
            ["\(oidA) \(oidB) refs/heads/x", "\(oidA) \(oidB) refs/heads/y\0 atomic", "0000"],
            .malformed
        ),
        (["shallow x", "0000"], .malformed), (["0001"], .malformed),
        (["\(oidA) \(oidB) refs/heads/x\0object-format=sha256", "0000"], .unsupported),
        (["push-cert\0 x", "pusher A"], .unsupported),
    ])
    func whatIsBrokenIsRefused(_ texts: [String], _ expected: WireError.Code) throws {
        for feeding in Feeding.allCases {
            #expect(
                code { () throws(WireError) in
                    _ = try decodePush(lines(texts), offer, feeding)
                } == expected, "\(texts)")
        }
    }

    @Test(arguments: ["atomic", "push-options", "delete-refs"])
    func whatIsNotOfferedIsRefused(_ capability: String) {
        var offer = ReceivePackOffer(.sha1)
        offer.atomic = false
        offer.deleteRefs = false
        let body = lines(["\(oidA) \(zero) refs/heads/x\0\(capability)", "0000"])
        #expect(
            code { () throws(WireError) in _ = try decodePush(body, offer) } == .unsupported)
    }

    @Test func aSHA256ServerIsNotPushedToInSHA1() {
        let id = String(repeating: "a", count: 64)
        let offer = ReceivePackOffer(.sha256)
        let old = lines(["\(id) \(id) refs/heads/x\0report-status", "0000"])
        let new = lines(["\(id) \(id) refs/heads/x\0object-format=sha256", "0000"])
        #expect(code { () throws(WireError) in _ = try decodePush(old, offer) } == .unsupported)
        #expect(code { () throws(WireError) in _ = try decodePush(new, offer) } == nil)
    }

    @Test func thereAreLimits() {
        var limits = ServingLimits()
        limits.commands = 2
        limits.shallow = 2
        limits.pushOptions = 2
        let offer = offer
        func got(_ texts: [String], _ limits: ServingLimits) -> WireError.Code? {
            code { () throws(WireError) in
                _ = try decodePush(lines(texts), offer, limits: limits)
            }
        }
        let commands = ["a", "b", "c"].map { "\(oidA) \(oidB) refs/\($0)" }
        let shallow = [oidA, oidB, oidC].map { "shallow \($0)" }
        let options = ["\(oidA) \(oidB) refs/a\0push-options", "0000"]
        #expect(got(commands.prefix(2) + ["0000"], limits) == nil)
        #expect(got(commands + ["0000"], limits) == .limit)
        #expect(got(shallow.prefix(2) + ["0000"], limits) == nil)
        #expect(got(shallow + ["0000"], limits) == .limit)
        #expect(got(options + ["1", "2", "0000"], limits) == nil)
        #expect(got(options + ["1", "2", "3", "0000"], limits) == .limit)
        limits.pushHeaderBytes = 100
        #expect(got(commands.prefix(2) + ["0000"], limits) == .limit)
    }

    @Test func whatARealClientPushesIsRead() throws {
        let fixture = try GitFixture()
        try fixture.git([
            "-C", fixture.repository, "config", "receive.advertisePushOptions", "true",
        ])
        let clone = fixture.directory.appendingPathComponent("clone").path
        try fixture.git(["clone", "-q", "--bare", "file://\(fixture.repository)", clone])
        let dev = try fixture.oid("dev")
        let main = try fixture.oid("main")
        try fixture.git(["-C", fixture.repository, "update-ref", "-d", "refs/tags/nested"])
        let body = try fixture.recorded(
            "receive-pack", "push",
            [
                "--atomic", "-o", "ci.skip", "-o", "b=2", "file://\(fixture.repository)",
                "nested", "dev:refs/heads/main", ":refs/tags/light",
            ], in: clone)
        let (got, pack) = try decodePush(body, offer, .bySevens)
        let request = try #require(got)
        let byName = Dictionary(
            uniqueKeysWithValues: request.commands.map { ($0.name, [$0.old, $0.new]) })
        #expect(byName.count == 3)
        #expect(byName["refs/heads/main"] == [main, dev])
        #expect(byName["refs/tags/nested"]?.first == zero)
        #expect(byName["refs/tags/light"]?.last == zero)
        #expect(request.report == .v2 && request.sideBand == .large && request.atomic)
        #expect(request.pushOptions == ["ci.skip", "b=2"])
        #expect(request.agent?.hasPrefix("git/") == true)
        #expect(pack.starts(with: "PACK".utf8))
    }

    // MARK: answers

    @Test(arguments: ["report-status", "report-status-v2", ""], ["", " side-band-64k"])
    func theReportIsThatOfRealGit(_ status: String, _ sideBand: String) throws {
        let fixture = try GitFixture()
        let main = try fixture.oid("main")
        let emptyPack = try fixture.git([
            "-C", fixture.repository, "pack-objects", "--stdout", "-q",
        ])
        let body =
            lines([
                "\(zero) \(main) refs/heads/new\0\(status)\(sideBand) quiet",
                "\(zero) \(main) refs/heads/a..b", "\(zero) \(main) HEAD", "0000",
            ]) + emptyPack
        let real = try fixture.receivePack(body)
        let request = try #require(try decodePush(body, offer).request)
        var report = PushReport()
        report.results = request.commands.map { command in
            (command.name, command.ref == nil ? .refused(PushReport.funnyRefname) : .ok())
        }
        var writer = PushResponseWriter(request)
        try writer.report(report)
        writer.end()
        // Git warns of the names in band 2.
        let mine = ByteString(writer.takeBytes())
        #expect(!status.isEmpty || sideBand.isEmpty == mine.isEmpty)
        #expect(ByteString(real).hasSuffix(mine), "\(ByteString(real))")
        if sideBand.isEmpty { #expect(ByteString(real) == mine) }
    }

    @Test func aRefusedPackIsReportedAsByRealGit() throws {
        let fixture = try GitFixture()
        let body =
            lines(["\(zero) \(oidA) refs/heads/new\0report-status", "0000"]) + Array("PICK".utf8)
        let real = try fixture.receivePack(body)
        let request = try #require(try decodePush(body, offer).request)
        var report = PushReport()
        report.unpackError = "eof before pack header was fully read"
        report.results = [("refs/heads/new", .refused(PushReport.unpackerError))]
        var writer = PushResponseWriter(request)
        try writer.report(report)
        writer.end()
        #expect(ByteString(writer.takeBytes()) == ByteString(real))
    }

    @Test func whatWasDoneInPlaceOfWhatWasAskedIsReported() throws {
        var change = PushReport.Change()
        change.name = RefName("refs/changes/1")
        change.old = oidA
        change.new = oidB
        change.isForced = true
        var report = PushReport()
        report.unpackError = "bad\nline"
        report.results = [
            ("refs/for/x", .ok([change, PushReport.Change()])), ("refs/y", .refused("a\u{0}b")),
        ]
        func written(_ version: PushReport.Version) throws -> [UInt8] {
            var request = PushRequest()
            request.report = version
            var writer = PushResponseWriter(request)
            writer.progress("nobody reads this")
            writer.keepAlive()
            try writer.report(report)
            writer.end()
            return writer.takeBytes()
        }
        #expect(
            try written(.v2)
                == lines([
                    "unpack bad line", "ok refs/for/x", "option refname refs/changes/1",
                    "option old-oid \(oidA)", "option new-oid \(oidB)", "option forced-update",
                    "ok refs/for/x", "ng refs/y a b", "0000",
                ]))
        #expect(
            try written(.v1)
                == lines(["unpack bad line", "ok refs/for/x", "ng refs/y a b", "0000"]))
        #expect(try written(.none).isEmpty)
    }

    @Test func progressAndErrorsGoBesideTheReport() throws {
        var request = PushRequest()
        request.sideBand = .large
        var writer = PushResponseWriter(request)
        writer.progress("hook says\n")
        writer.keepAlive()
        writer.error("no")
        #expect(writer.takeBytes() == pkt("\u{02}hook says\n") + pkt("\u{02}") + pkt("\u{03}no"))
        request.sideBand = .none
        var plain = PushResponseWriter(request)
        plain.error("no")
        #expect(plain.takeBytes() == pkt("ERR no"))
    }
}
