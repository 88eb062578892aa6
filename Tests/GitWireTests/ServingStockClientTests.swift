import Foundation
import GitCore
import Testing

@testable import GitWire

/// Stock git as the client of what the writers of a server's answers write.
@Suite struct ServingStockClientTests {
    /// The last request that real git sends in `arguments` of clone, to a real server.
    private func request(
        _ fixture: GitFixture, _ offer: UploadPackOffer, _ version: ProtocolVersion,
        _ arguments: [String]
    ) throws -> UploadPackRequest {
        let body = try fixture.recorded(
            "upload-pack", "clone",
            arguments + ["file://\(fixture.repository)", "asked-\(UUID().uuidString)"],
            config: ["protocol.version=\(version.rawValue)"], in: fixture.directory.path)
        guard version == .v2 else { return try #require(try decodeFetchV0(body, offer)) }
        var decoder = PktLineDecoder()
        decoder.push(body)
        var start = 0
        var last: UploadPackRequest?
        while let line = try decoder.next() {
            guard line == .flush else { continue }
            let request = try decodeCommand(Array(body[start ..< Int(decoder.offset)]), offer)
            last = request?.fetch ?? last
            start = Int(decoder.offset)
        }
        return try #require(last)
    }

    /// What a server says before the answer to the fetch.
    private func start(
        _ fixture: GitFixture, _ offer: UploadPackOffer, _ version: ProtocolVersion
    ) throws -> [UInt8] {
        let refs = try #require(try fixture.advertisement(.v0).refs).refs
        if version == .v2 {
            var arguments = LsRefsArguments()
            arguments.symrefs = true
            arguments.peel = true
            var list = LsRefsResponse(arguments)
            for ref in refs {
                try list.ref(
                    ref.name, ref.oid, symrefTarget: ref.symrefTarget, peeled: ref.peeled)
            }
            list.end()
            return try CapabilityAdvertisement(offer).encoded() + list.takeBytes()
        }
        let main = try #require(RefName("refs/heads/main"))
        var writer = try RefAdvertisementWriter(
            offer, version: version, symrefs: [(name: .head, target: main)], overHTTP: false)
        for ref in refs { try writer.ref(ref.name, ref.oid, peeled: ref.peeled) }
        try writer.end()
        return writer.takeBytes()
    }

    private func pack(_ fixture: GitFixture, isShallow: Bool) throws -> [UInt8] {
        let list = try fixture.text(
            ["rev-list", "--objects"] + (isShallow ? ["--no-walk"] : []) + ["main"])
        return try fixture.git(
            ["-C", fixture.repository, "pack-objects", "-q", "--stdout"],
            input: Array((list + "\n").utf8))
    }

    @Test(arguments: ProtocolVersion.allCases, [false, true])
    func clones(_ version: ProtocolVersion, _ isShallow: Bool) throws {
        let fixture = try GitFixture()
        var offer = UploadPackOffer(.sha1, agent: "apus/test")
        offer.refInWant = true
        offer.sidebandAll = true
        let options =
            ["--bare", "--no-tags", "--single-branch", "-b", "main"]
            + (isShallow ? ["--depth=1"] : [])
        let request = try request(fixture, offer, version, options)
        let main = try fixture.oid("main")
        #expect(request.isDone && request.haves.isEmpty)

        var writer = FetchResponseWriter(request)
        if isShallow { writer.shallowInfo(shallow: [main], unshallow: []) }
        if !request.wantRefs.isEmpty {
            writer.keepAlive()
            try writer.wantedRefs(request.wantRefs.map { (name: $0, oid: main) })
        }
        if version != .v2 {
            var acknowledgments = AcknowledgmentsV0(request)
            acknowledgments.done(to: &writer.lines)
        }
        writer.beginPack()
        writer.keepAlive()
        writer.progress("Hello from Apus\n")
        try pack(fixture, isShallow: isShallow).withUnsafeBytes { writer.pack($0) }
        writer.end()

        let file = fixture.directory.appendingPathComponent("answers").path
        try Data(try start(fixture, offer, version) + writer.takeBytes())
            .write(to: URL(fileURLWithPath: file))
        let clone = fixture.directory.appendingPathComponent("clone").path
        try fixture.git(
            [
                "-c", "protocol.version=\(version.rawValue)", "clone", "--progress",
                "--upload-pack=cat '\(file)'; cat >/dev/null; :",
            ] + options + ["file://\(fixture.repository)", clone])
        #expect(fixture.lastStatus == 0, "\(fixture.lastError)")
        #expect(fixture.lastError.contains("remote: Hello from Apus"))
        #expect(version != .v2 || !request.wantRefs.isEmpty && request.sidebandAll)
        let history = try fixture.git(["-C", clone, "rev-list", "main"])
        #expect(history.split(separator: 0x0a).count == (isShallow ? 1 : 3))
        try fixture.git(["-C", clone, "fsck", "--strict"])
        #expect(fixture.lastStatus == 0, "\(fixture.lastError)")
    }

    @Test(arguments: ProtocolVersion.allCases)
    func isToldOfErrors(_ version: ProtocolVersion) throws {
        let fixture = try GitFixture()
        var writer = PktLineWriter()
        writer.error("go away\n")
        let file = fixture.directory.appendingPathComponent("answers").path
        try Data(writer.takeBytes()).write(to: URL(fileURLWithPath: file))
        try fixture.git([
            "-c", "protocol.version=\(version.rawValue)", "ls-remote",
            "--upload-pack=cat '\(file)'; cat >/dev/null; :", "file://\(fixture.repository)",
        ])
        #expect(fixture.lastStatus != 0)
        #expect(fixture.lastError.contains("remote error: go away"))
    }

    @Test(arguments: [true, false])
    func pushes(_ isRefused: Bool) throws {
        let fixture = try GitFixture()
        let main = try fixture.oid("main")
        var offer = ReceivePackOffer(.sha1, agent: "apus/test")
        offer.atomic = false
        var refs = try RefAdvertisementWriter(offer, version: .v1, overHTTP: false)
        try refs.ref(try #require(RefName("refs/heads/main")), main)
        try refs.end()
        var request = PushRequest()
        request.report = .v2
        request.sideBand = .large
        var writer = PushResponseWriter(request)
        writer.keepAlive()
        writer.progress("Hello from Apus\n")
        var report = PushReport()
        var change = PushReport.Change()
        change.name = RefName("refs/changes/7")
        change.new = main
        report.results = [
            ("refs/heads/x", isRefused ? .refused("not today") : .ok([change]))
        ]
        try writer.report(report)
        writer.end()
        let file = fixture.directory.appendingPathComponent("answers").path
        try Data(refs.takeBytes() + writer.takeBytes()).write(to: URL(fileURLWithPath: file))
        try fixture.git([
            "-C", fixture.repository, "-c", "protocol.version=1", "push",
            "--receive-pack=cat '\(file)'; cat >/dev/null; :", "file:///nowhere",
            "dev:refs/heads/x",
        ])
        #expect((fixture.lastStatus != 0) == isRefused, "\(fixture.lastError)")
        #expect(fixture.lastError.contains("remote: Hello from Apus"))
        #expect(fixture.lastError.contains(isRefused ? "(not today)" : "refs/changes/7"))
    }
}
