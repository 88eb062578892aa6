import GitCore
import Testing

@testable import GitWire

/// The same requests to real upload-pack and to AcknowledgmentsV0.
@Suite struct ServingAcknowledgmentTests {
    /// Two histories: main, of four commits with a side branch merged in, and other, of two.
    private static let script =
        GitFixture.tiny.replacing("done\n", with: "") + """
            commit refs/heads/other
            mark :10
            committer A <a@example.org> 1700000050 +0000
            data 2
            x

            M 100644 :1 x.txt

            commit refs/heads/other
            mark :11
            committer A <a@example.org> 1700000150 +0000
            data 2
            y

            from :10

            done

            """

    private struct History {
        let fixture: GitFixture
        /// By their ids, with their parents.
        let commits: [ObjectID: [ObjectID]]

        init() throws {
            fixture = try GitFixture(ServingAcknowledgmentTests.script)
            var commits: [ObjectID: [ObjectID]] = [:]
            for line in try fixture.text(["rev-list", "--all", "--parents"]).split(separator: "\n")
            {
                let ids = line.split(separator: " ").compactMap { ObjectID(hex: $0) }
                commits[try #require(ids.first)] = Array(ids.dropFirst())
            }
            self.commits = commits
        }

        /// Whether every want comes, going from child to parent, to what is common or a parent of it.
        func isReady(_ wants: [ObjectID], _ common: Set<ObjectID>) -> Bool {
            let known = common.union(common.flatMap { commits[$0] ?? [] })
            func reaches(_ oid: ObjectID) -> Bool {
                known.contains(oid) || (commits[oid] ?? []).contains(where: reaches)
            }
            return !common.isEmpty && wants.allSatisfy(reaches)
        }

        /// What this package answers, and whether the pack comes then.
        func answer(_ request: UploadPackRequest) -> (bytes: [UInt8], hasPack: Bool) {
            var acknowledgments = AcknowledgmentsV0(request)
            var lines = PktLineWriter()
            var common: Set<ObjectID> = []
            for (index, round) in request.rounds.enumerated() {
                for oid in round {
                    let isCommon = commits[oid] != nil
                    if isCommon { common.insert(oid) }
                    acknowledgments.have(
                        oid, isCommon: isCommon, isReady: { isReady(request.wants, common) },
                        to: &lines)
                }
                if index == request.rounds.count - 1, request.isDone {
                    acknowledgments.done(to: &lines)
                    return (lines.bytes, true)
                }
                let hasPack = acknowledgments.flush(
                    isReady: { isReady(request.wants, common) }, to: &lines)
                // Without state the answer ends at the first flush packet.
                return (lines.bytes, hasPack)
            }
            return (lines.bytes, false)
        }
    }

    private func body(
        _ wants: [ObjectID], _ capabilities: String, _ rounds: [[ObjectID]], isDone: Bool
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        for (index, want) in wants.enumerated() {
            bytes += pkt("want \(want)\(index == 0 ? capabilities : "")\n")
        }
        bytes += flush
        for (index, round) in rounds.enumerated() {
            for oid in round { bytes += pkt("have \(oid)\n") }
            let isLast = index == rounds.count - 1
            bytes += isLast && isDone ? pkt("done\n") : flush
        }
        return bytes
    }

    private func compare(
        _ history: History, _ wants: [ObjectID], _ capabilities: String, _ rounds: [[ObjectID]],
        isDone: Bool
    ) throws -> ByteString {
        let body = body(wants, capabilities, rounds, isDone: isDone)
        let request = try #require(try decodeFetchV0(body, UploadPackOffer(.sha1)))
        #expect(request.rounds == rounds)
        let mine = history.answer(request)
        let real = try history.fixture.uploadPack(body, .v0)
        let rest = real.dropFirst(mine.bytes.count)
        let place = "\(capabilities) \(rounds) done \(isDone): \(ByteString(real.prefix(400)))"
        #expect(ByteString(mine.bytes) == ByteString(real.prefix(mine.bytes.count)), "\(place)")
        #expect(mine.hasPack ? rest.starts(with: "PACK".utf8) : rest.isEmpty, "\(place)")
        return ByteString(mine.bytes)
    }

    @Test(arguments: [" multi_ack", " multi_ack_detailed", " multi_ack_detailed no-done"])
    func severalAreAcknowledgedAsByRealGit(_ capabilities: String) throws {
        let history = try History()
        let known = history.commits.keys.sorted()
        let candidates = known + [oidA, oidB, oidC]
        var generator = Generator(state: 11)
        let dev = try history.fixture.oid("dev")
        let other = try history.fixture.oid("other")
        var answers: Set<ByteString> = []
        for number in 0 ..< 60 {
            let round = (0 ..< Int.random(in: 0 ..< 5, using: &generator)).compactMap { _ in
                candidates.randomElement(using: &generator)
            }
            answers.insert(
                try compare(
                    history, number % 3 == 0 ? [dev, other] : [dev], capabilities, [round],
                    isDone: number % 2 == 0))
        }
        // NAK alone, and many more.
        #expect(answers.count > 20)
        #expect(answers.contains(ByteString(pkt("NAK\n"))))
        let all = answers.map(\.printable).joined()
        #expect(all.contains("ready") == capabilities.contains("detailed"))
        #expect(all.contains("continue") != capabilities.contains("detailed"))
    }

    @Test func oneIsAcknowledgedAsByRealGit() throws {
        let history = try History()
        let dev = try history.fixture.oid("dev")
        // Parents before their children: git forgets that it has acknowledged a child's parent.
        let known = try ["main~2", "other~1", "main~1", "main"].map(history.fixture.oid)
        for isDone in [true, false] {
            for rounds in [[[]], [[oidA]], [[oidA] + known], [known + [oidB]], [[known[3], oidA]]] {
                _ = try compare(history, [dev], "", rounds, isDone: isDone)
            }
        }
    }

    @Test func theAnswerEndsAtTheFirstFlushPacket() throws {
        let history = try History()
        let dev = try history.fixture.oid("dev")
        let rounds = [[oidA], [try history.fixture.oid("main")]]
        let got = try compare(history, [dev], " multi_ack_detailed", rounds, isDone: true)
        #expect(got == ByteString(pkt("NAK\n")))
    }

    @Test func onAConnectionRoundsGoOn() throws {
        let body = body(
            [oidC], " multi_ack_detailed no-done", [[oidA], [oidB, oidA], []], isDone: true)
        let request = try #require(try decodeFetchV0(body, UploadPackOffer(.sha1)))
        var acknowledgments = AcknowledgmentsV0(request)
        var lines = PktLineWriter()
        func never() -> Bool {
            Issue.record("asked too early")
            return true
        }
        acknowledgments.have(oidA, isCommon: false, isReady: never, to: &lines)
        #expect(!acknowledgments.flush(isReady: never, to: &lines))
        acknowledgments.have(oidB, isCommon: true, isReady: never, to: &lines)
        acknowledgments.have(oidA, isCommon: false, isReady: { false }, to: &lines)
        // There was one that is not in common: it is not asked whether it is ready.
        #expect(!acknowledgments.flush(isReady: never, to: &lines))
        acknowledgments.done(to: &lines)
        let expected = ["NAK", "ACK \(oidB) common", "NAK", "ACK \(oidB)"]
        #expect(lines.bytes == expected.flatMap { pkt($0 + "\n") })
    }
}
