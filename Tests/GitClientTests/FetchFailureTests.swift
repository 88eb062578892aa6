import GitCore
import GitStore
import TestSupport
import Testing

@testable import GitClient
@testable import GitWire

/// Fetches that go wrong: one clear error, and the repository is as it was.
@Suite(.timeLimit(.minutes(10))) struct FetchFailureTests {
    /// A server of one branch, at `tip`, that answers every fetch with `answer`.
    private func server(
        tip: String, version: Int = 2, _ answer: @escaping @Sendable (String) -> [UInt8]
    ) -> HTTPTestServer {
        HTTPTestServer { exchange in
            let body = String(
                decoding: exchange.request.body, as: UTF8.self)
            if exchange.request.method == "GET" {
                let refs =
                    version == 2
                    ? packet("version 2\n") + packet("ls-refs\n") + packet("fetch=shallow\n")
                    : packet("\(tip) refs/heads/main\0multi_ack_detailed side-band-64k no-done\n")
                exchange.answer(
                    200, ["Content-Type: application/x-git-upload-pack-advertisement"],
                    body: packet("# service=git-upload-pack\n") + flush + refs + flush)
            } else {
                let isListing = body.contains("command=ls-refs")
                exchange.answer(
                    200, ["Content-Type: application/x-git-upload-pack-result"],
                    body: isListing ? packet("\(tip) refs/heads/main\n") + flush : answer(body))
            }
        }
    }

    /// Fetches from `server` into a clone of the scene, or an empty repository, which must fail.
    private func failure(
        _ scene: FetchScene, _ server: HTTPTestServer, empty: Bool = false,
        _ options: FetchOptions = FetchOptions()
    ) async throws -> ClientError? {
        let copy = empty ? try scene.emptyRepository("copy") : try scene.clone("copy")
        let files = try FetchScene.files(copy)
        let repository = try Repository.discover(from: ByteString(copy))
        let remote = try scene.remote(url: server.url + "/x.git")
        let pack = try await UploadPack(remote)
        let refs = try await pack.refs()
        let fetch = Fetch(into: repository, from: pack, options: options)
        do throws(ClientError) {
            _ = try await fetch.run(wants: refs.refs.map(\.oid), shown: refs)
            Issue.record("it did not fail")
            return nil
        } catch {
            #expect(try FetchScene.files(copy) == files)
            #expect(!error.message.contains("\n"))
            return error
        }
    }

    private let other = String(repeating: "1", count: 40)

    @Test func acknowledgmentOfWhatWasNotSent() async throws {
        let scene = try FetchScene(commits: 20)
        let error = try await failure(
            scene,
            server(tip: other) { [other] _ in
                packet("acknowledgments\n") + packet("ACK \(other)\n") + flush
            })
        #expect(error?.code == .protocolError)
        #expect(error?.message.contains("acknowledges what was not sent") == true)
    }

    @Test func acknowledgmentOfWhatWasNotSentInVersionZero() async throws {
        let scene = try FetchScene(commits: 20)
        let error = try await failure(
            scene,
            server(tip: other, version: 0) { [other] _ in
                packet("ACK \(other) common\n") + packet("NAK\n")
            })
        #expect(error?.code == .protocolError)
        #expect(error?.message.contains("acknowledges what was not sent") == true)
    }

    @Test func sectionsOutOfOrder() async throws {
        let scene = try FetchScene(commits: 20)
        let error = try await failure(
            scene, server(tip: other) { _ in packet("packfile\n") + packet("\u{1}PACK") + flush })
        #expect(error?.code == .protocolError)
        #expect(error?.message.contains("acknowledgments") == true)
    }

    @Test(arguments: [0, 2]) func noPackAfterTheLastRequest(version: Int) async throws {
        let scene = try FetchScene(commits: 3)
        let error = try await failure(
            scene,
            server(tip: other, version: version) { _ in version == 2 ? flush : packet("NAK\n") })
        #expect(error?.code == .protocolError || error?.code == .network)
    }

    /// It says forever that it needs more.
    @Test func serverThatIsNeverReady() async throws {
        let scene = try FetchScene(commits: 60)
        let server = server(tip: other) { body in
            body.contains("done\n")
                ? packet("ERR not our ref\n")
                : packet("acknowledgments\n") + packet("NAK\n") + flush
        }
        let error = try await failure(scene, server)
        #expect(error?.code == .remote)
        #expect(server.requests.count <= 2 + 4)
    }

    /// A pack of `objects` (lines for pack-objects) of the upstream, as an answer.
    private func answer(_ scene: FetchScene, _ options: [String], _ objects: String) throws
        -> [UInt8]
    {
        let pack = try Git.run(
            ["pack-objects", "--stdout", "-q"] + options, in: scene.upstream,
            input: Array(objects.utf8)
        ).stdout
        return packet("packfile\n") + packet([1] + pack) + flush
    }

    @Test func packWithoutABaseThatItNeeds() async throws {
        let scene = try FetchScene()
        let tip = try scene.git("rev-parse", "HEAD")
        let answer = try answer(scene, ["--thin", "--revs", "--no-reuse-delta"], "HEAD\n^HEAD~1\n")
        let error = try await failure(scene, server(tip: tip) { _ in answer }, empty: true)
        #expect(error?.code == .store)
        #expect(error?.message.contains("unresolved deltas") == true)
    }

    @Test(arguments: [0, 100]) func packWithoutAnObjectThatIsNeeded(limit: Int) async throws {
        let scene = try FetchScene()
        let tip = try scene.git("rev-parse", "HEAD")
        let tree = try scene.git("rev-parse", "HEAD^{tree}")
        let all = try scene.git("rev-list", "--objects", "--no-object-names", "HEAD")
            .split(separator: "\n").filter { $0 != tree }.joined(separator: "\n")
        let answer = try answer(scene, [], all + "\n")
        var options = FetchOptions()
        options.unpackLimit = limit
        let error = try await failure(scene, server(tip: tip) { _ in answer }, empty: true, options)
        #expect(error?.code == .store)
        #expect(error?.message == "the server did not send all objects: \(tree) is missing")
    }

    /// All that the pack points to is there, but not all that this points to.
    @Test func packOnTopOfWhatIsNotWhole() async throws {
        let scene = try FetchScene()
        let tip = try scene.git("rev-parse", "HEAD")
        let parent = try scene.git("rev-parse", "HEAD~1")
        let content = try Git.run(["cat-file", "commit", parent], in: scene.upstream).stdout
        let answer = try answer(scene, ["--revs"], "HEAD\n^HEAD~1\n")
        let copy = try scene.emptyRepository("copy")
        try Git.run(["hash-object", "-w", "-t", "commit", "--stdin"], in: copy, input: content)
        let server = server(tip: tip) { _ in answer }
        let error = try await failure(scene, server, empty: true)
        #expect(error?.code == .store)
        #expect(error?.message.contains("did not send all objects") == true)
    }

    @Test func packThatIsCutOff() async throws {
        let scene = try FetchScene()
        let tip = try scene.git("rev-parse", "HEAD")
        let answer = try answer(scene, ["--revs"], "HEAD\n").dropLast(40)
        let error = try await failure(scene, server(tip: tip) { _ in Array(answer) }, empty: true)
        #expect(error != nil)
    }

    @Test func packOfShallowHistory() async throws {
        let scene = try FetchScene()
        let tip = try scene.git("rev-parse", "HEAD")
        let answer = try answer(scene, ["--revs"], "HEAD\n")
        let error = try await failure(
            scene,
            server(tip: tip) { _ in
                packet("shallow-info\n") + packet("shallow \(tip)\n") + delim + answer
            },
            empty: true)
        #expect(error?.code == .unsupported)
    }

    struct Refusal: Error {}

    @Test func sinkThatThrows() async throws {
        let scene = try FetchScene()
        let copy = try scene.emptyRepository("copy")
        let files = try FetchScene.files(copy)
        var options = FetchOptions()
        options.sink = { event in if case .pack = event { throw Refusal() } }
        await #expect { try await scene.fetch(into: copy, options) } throws: { error in
            let error = error as? ClientError
            return error?.code == .sink && error?.cause is Refusal
        }
        #expect(try FetchScene.files(copy) == files)
    }

    @Test(arguments: ["pack", "sink", "negotiation"]) func stopsWhenCancelled(place: String)
        async throws
    {
        let scene = try FetchScene(commits: 40)
        let tip = try scene.git("rev-parse", "HEAD")
        let copy =
            place == "negotiation" ? try scene.clone("copy") : try scene.emptyRepository("copy")
        if place == "negotiation" { try scene.commit(20, in: copy, file: "mine") }
        let files = try FetchScene.files(copy)
        let repository = try Repository.discover(from: ByteString(copy))
        let (reached, reach) = AsyncStream.makeStream(of: Void.self)
        let wanted = place == "negotiation" ? other : tip
        let part = packet("packfile\n") + packet([1] + Array("PACK".utf8))
        let server = HTTPTestServer { exchange in
            if exchange.request.method == "GET" {
                exchange.answer(
                    200, ["Content-Type: application/x-git-upload-pack-advertisement"],
                    body: packet("# service=git-upload-pack\n") + flush + packet("version 2\n")
                        + packet("fetch\n") + packet("ls-refs\n") + flush)
                return
            }
            exchange.write(
                "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-result\r\n"
                    + "Content-Length: 1000000\r\n\r\n")
            exchange.write(place == "negotiation" ? packet("acknowledgments\n") : part)
            reach.yield()
            exchange.waitForClose()
        }
        var options = FetchOptions()
        if place == "sink" { options.sink = { _ in try await Task.sleep(for: .seconds(400)) } }
        let remote = try scene.remote(url: server.url + "/x.git")
        let pack = try await UploadPack(remote)
        let shown = try await UploadPack(try scene.remote()).refs()
        let fetch = Fetch(into: repository, from: pack, options: options)
        let want = try #require(ObjectID(hex: wanted))
        let fetching = Task { try await fetch.run(wants: [want], shown: shown) }
        for await _ in reached { break }
        try await Task.sleep(for: .milliseconds(50))
        let start = ContinuousClock.now
        fetching.cancel()
        await #expect { try await fetching.value } throws: { error in
            (error as? ClientError)?.code == .cancelled
        }
        // Before the server ends it, and the sink; tests that run beside this one take their time.
        #expect(ContinuousClock.now - start < .seconds(200))
        #expect(try FetchScene.files(copy) == files)
    }
}

private let flush = Array("0000".utf8)
private let delim = Array("0001".utf8)

private func packet(_ text: String) -> [UInt8] { packet(Array(text.utf8)) }

private func packet(_ bytes: [UInt8]) -> [UInt8] {
    let length = String(bytes.count + 4, radix: 16)
    return Array((String(repeating: "0", count: 4 - length.count) + length).utf8) + bytes
}
