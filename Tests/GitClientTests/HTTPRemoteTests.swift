import Foundation
import GitCore
import Synchronization
import Testing

@testable import GitClient

/// Gives out the credentials it was made with, one after another, and notes what becomes of them.
final class ScriptedCredentials: CredentialProvider {
    enum Event: Equatable {
        case asked(String, username: ByteString?)
        case approved(ByteString)
        case rejected(ByteString)
    }

    private let left: Mutex<[Credential]>
    private let log = Mutex<[Event]>([])
    var events: [Event] { log.withLock { $0 } }

    init(_ passwords: ByteString...) {
        left = Mutex(passwords.map { Credential(username: "joe", password: $0) })
    }

    func credential(for request: CredentialRequest) -> Credential? {
        log.withLock { $0.append(.asked(request.url.redacted, username: request.username)) }
        return left.withLock { $0.isEmpty ? nil : $0.removeFirst() }
    }

    func approve(_ credential: Credential, for request: CredentialRequest) {
        log.withLock { $0.append(.approved(credential.password)) }
    }

    func reject(_ credential: Credential, for request: CredentialRequest) {
        log.withLock { $0.append(.rejected(credential.password)) }
    }
}

/// What a remote told the person.
final class Notices: Sendable {
    private let log = Mutex<[RemoteNotice]>([])
    var all: [RemoteNotice] { log.withLock { $0 } }
    func add(_ notice: RemoteNotice) { log.withLock { $0.append(notice) } }
}

private let advertisement = "Content-Type: application/x-git-upload-pack-advertisement"
private let result = "Content-Type: application/x-git-upload-pack-result"
private let tail = "/info/refs?service=git-upload-pack"

private func basic(_ text: String) -> String {
    "Basic " + String(decoding: Array(text.utf8).base64, as: UTF8.self)
}

extension HTTPTestServer.Exchange {
    fileprivate func answerSmart() {
        if request.method == "GET" {
            answer(200, [advertisement], body: "refs")
        } else {
            answer(200, [result], body: "pack")
        }
    }
}

@Suite(.timeLimit(.minutes(10))) struct HTTPRemoteTests {
    private let notices = Notices()

    private func remote(
        _ url: String, _ credentials: any CredentialProvider = NoCredentials(),
        _ options: HTTPOptions = HTTPOptions()
    ) throws -> HTTPRemote {
        let notices = notices
        return try HTTPRemote(
            try GitURL(url), transport: CurlTransport(), credentials: credentials,
            options: { _ in options }, notice: { notices.add($0) })
    }

    private func discover(_ remote: HTTPRemote) async throws -> String {
        let body = try await remote.discover(.uploadPack, protocolVersion: 2)
        return String(decoding: try await body.all(), as: UTF8.self)
    }

    private func fetch(_ remote: HTTPRemote, _ request: String = "want") async throws -> String {
        let body = try await remote.post(.uploadPack, Array(request.utf8), protocolVersion: 2)
        return String(decoding: try await body.all(), as: UTF8.self)
    }

    // MARK: what is sent

    @Test func asksAsGitDoes() async throws {
        let server = HTTPTestServer { $0.answerSmart() }
        let remote = try remote(server.url + "/a/b.git")
        #expect(try await discover(remote) == "refs")
        #expect(try await fetch(remote) == "pack")
        let requests = server.requests
        try #require(requests.count == 2)
        #expect(requests[0].method == "GET")
        #expect(requests[0].target == "/a/b.git/info/refs?service=git-upload-pack")
        #expect(requests[0].headers["git-protocol"] == "version=2")
        #expect(requests[0].headers["pragma"] == "no-cache")
        #expect(requests[1].method == "POST")
        #expect(requests[1].target == "/a/b.git/git-upload-pack")
        #expect(requests[1].headers["content-type"] == "application/x-git-upload-pack-request")
        #expect(requests[1].headers["accept"] == "application/x-git-upload-pack-result")
        #expect(requests[1].headers["git-protocol"] == "version=2")
        #expect(requests[1].body == Array("want".utf8))
        #expect(server.connections == 1)
    }

    @Test func protocolVersion0HasNoHeader() async throws {
        let server = HTTPTestServer { $0.answerSmart() }
        let body = try await remote(server.url).discover(.uploadPack, protocolVersion: 0)
        _ = try await body.all()
        #expect(server.requests.first?.headers["git-protocol"] == nil)
    }

    @Test func aQueryStaysInTheURL() async throws {
        let server = HTTPTestServer { $0.answerSmart() }
        _ = try await discover(remote(server.url + "/p?a=b"))
        #expect(server.requests.first?.target == "/p?a=b/info/refs&service=git-upload-pack")
    }

    @Test func aLongRequestIsCompressed() async throws {
        let server = HTTPTestServer { $0.answerSmart() }
        let text = String(
            repeating: "0032want 0000000000000000000000000000000000000000\n", count: 99)
        _ = try await fetch(remote(server.url), text)
        let request = try #require(server.requests.first)
        #expect(request.headers["content-encoding"] == "gzip")
        #expect(request.body.count < text.utf8.count)
        #expect(try runProgram(["gunzip"], input: request.body).output == text)
    }

    // MARK: redirects

    @Test(arguments: [301, 302, 303, 307, 308])
    func theBaseMovesWithARedirect(status: Int) async throws {
        let target = HTTPTestServer { $0.answerSmart() }
        let place = target.url
        let server = HTTPTestServer {
            $0.answer(status, ["Location: \(place)/new\(tail)"])
        }
        let remote = try remote(server.url + "/old")
        #expect(try await discover(remote) == "refs")
        #expect(try await fetch(remote) == "pack")
        #expect(server.requests.count == 1)
        #expect(target.requests.map(\.target) == ["/new" + tail, "/new/git-upload-pack"])
        #expect(notices.all == [.warning("redirecting to \(place)/new/")])
    }

    @Test func aRelativeRedirectIsFollowed() async throws {
        let server = HTTPTestServer {
            if $0.request.target.hasPrefix("/old") {
                $0.answer(302, ["Location: /new\(tail)"])
            } else {
                $0.answerSmart()
            }
        }
        let remote = try remote(server.url + "/old")
        #expect(try await discover(remote) == "refs")
        #expect(await remote.base.redacted == server.url + "/new/")
    }

    @Test func aRedirectToAnotherPageIsRefused() async throws {
        let server = HTTPTestServer {
            if $0.request.target == "/login" {
                $0.answer(200, [advertisement], body: "x")
            } else {
                $0.answer(302, ["Location: /login"])
            }
        }
        let error = await failure { _ = try await discover(try remote(server.url + "/p")) }
        #expect(error?.code == .redirect)
        #expect(error?.message.hasPrefix("unable to update url base from redirection") == true)
    }

    @Test func redirectsInARingEnd() async throws {
        let server = HTTPTestServer { $0.answer(302, ["Location: \($0.request.target)"]) }
        let error = await failure { _ = try await discover(try remote(server.url)) }
        #expect(error?.code == .redirect)
        #expect(server.requests.count == HTTPLimits.redirects + 1)
    }

    @Test(arguments: [
        "file:///etc/passwd", "ssh://h/x", "ftp://h" + tail, "http://h\\@evil" + tail,
        "ext::sh -c x",
    ])
    func redirectsElsewhereAreRefused(location: String) async throws {
        let server = HTTPTestServer { $0.answer(302, ["Location: \(location)"]) }
        let error = await failure { _ = try await discover(try remote(server.url)) }
        #expect(error?.code == .redirect || error?.code == .invalidURL)
    }

    @Test func aRedirectFromTLSToPlainIsRefused() async throws {
        // The transport stands in for a server with TLS.
        struct Redirecting: HTTPTransport {
            final class Empty: HTTPBodyStream { func next() -> [UInt8]? { nil } }
            func send(_ request: HTTPRequest) -> HTTPResponse {
                HTTPResponse(
                    status: 302,
                    headers: HTTPHeaders([("Location", "http://h/p" + ByteString(tail))]),
                    body: Empty())
            }
        }
        let remote = try HTTPRemote(
            try GitURL("https://h/p"), transport: Redirecting(), credentials: NoCredentials())
        #expect(await failure { _ = try await discover(remote) }?.code == .redirect)
    }

    @Test func redirectsCanBeForbidden() async throws {
        let server = HTTPTestServer { $0.answer(302, ["Location: /x\(tail)"]) }
        var options = HTTPOptions()
        options.followRedirects = .never
        let error = await failure {
            _ = try await discover(try remote(server.url, NoCredentials(), options))
        }
        #expect(error?.code == .redirect)
        #expect(server.requests.count == 1)
    }

    @Test func aPostIsNotRedirected() async throws {
        let server = HTTPTestServer { $0.answer(307, ["Location: /x/git-upload-pack"]) }
        let error = await failure { _ = try await fetch(try remote(server.url)) }
        #expect(error?.code == .redirect)
        #expect(server.requests.count == 1)
    }

    @Test func secretsAreNotSentToAnotherOrigin() async throws {
        let target = HTTPTestServer { $0.answerSmart() }
        let place = target.url
        let server = HTTPTestServer { $0.answer(302, ["Location: \(place)/p\(tail)"]) }
        var options = HTTPOptions()
        options.extraHeaders = ["X-Token: sekret"]
        let url = server.url.replacing("http://", with: "http://joe:sekret@") + "/p"
        let remote = try remote(url, NoCredentials(), options)
        _ = try await discover(remote)
        _ = try await fetch(remote)
        #expect(server.requests.first?.headers["authorization"] == basic("joe:sekret"))
        #expect(server.requests.first?.headers["x-token"] == "sekret")
        #expect(target.requests.count == 2)
        for request in target.requests {
            #expect(!request.headers.values.contains { $0.contains("sekret") })
            #expect(request.headers["authorization"] == nil)
        }
    }

    @Test func aUserInALocationIsNotUsed() async throws {
        let server = HTTPTestServer { exchange in
            if exchange.request.target.hasPrefix("/new") { return exchange.answerSmart() }
            let host = exchange.request.headers["host"] ?? ""
            exchange.answer(302, ["Location: http://eve:pw@\(host)/new\(tail)"])
        }
        _ = try await discover(remote(server.url))
        #expect(server.requests.last?.headers["authorization"] == nil)
    }

    // MARK: credentials

    private func guarded(_ password: String, _ challenge: String = "Basic realm=\"x\"")
        -> HTTPTestServer
    {
        HTTPTestServer { exchange in
            if exchange.request.headers["authorization"] == basic("joe:" + password) {
                exchange.answerSmart()
            } else {
                exchange.answer(401, ["WWW-Authenticate: \(challenge)"], body: "who?")
            }
        }
    }

    @Test func aCredentialIsAskedForAfterA401AndApproved() async throws {
        let server = guarded("right")
        let credentials = ScriptedCredentials("right")
        let remote = try remote(server.url + "/p", credentials)
        #expect(try await discover(remote) == "refs")
        #expect(try await fetch(remote) == "pack")
        #expect(
            credentials.events
                == [.asked(server.url + "/p/", username: nil), .approved("right")])
        #expect(server.requests.map { $0.headers["authorization"] == nil } == [true, false, false])
        #expect(server.connections == 1)
    }

    @Test func aWrongCredentialIsRejected() async throws {
        let server = guarded("right")
        let credentials = ScriptedCredentials("wrong", "right")
        let error = await failure {
            _ = try await discover(try remote(server.url + "/p", credentials))
        }
        #expect(error?.code == .authentication)
        #expect(error?.message == "Authentication failed for '\(server.url)/p/'")
        #expect(credentials.events.last == .rejected("wrong"))
        #expect(server.requests.count == 2)
    }

    @Test func noCredentialIsAFailure() async throws {
        let server = guarded("right")
        let error = await failure { _ = try await discover(try remote(server.url)) }
        #expect(error?.code == .authentication)
        #expect(server.requests.count == 1)
    }

    @Test func aPasswordInTheURLIsSentAtOnce() async throws {
        let server = guarded("p@ss")
        let credentials = ScriptedCredentials()
        let url = server.url.replacing("http://", with: "http://joe:p%40ss@")
        #expect(try await discover(remote(url, credentials)) == "refs")
        #expect(server.requests.count == 1)
        #expect(credentials.events == [])
    }

    @Test func aWrongPasswordInTheURLIsAFailureThatDoesNotShowIt() async throws {
        let server = guarded("right")
        let credentials = ScriptedCredentials("right")
        let url = server.url.replacing("http://", with: "http://joe:sekret@")
        let error = await failure { _ = try await discover(try remote(url, credentials)) }
        #expect(error?.code == .authentication)
        #expect(error?.message.contains("sekret") == false)
        #expect(credentials.events == [])
    }

    @Test func theUserOfTheURLIsAskedAbout() async throws {
        let server = guarded("right")
        let credentials = ScriptedCredentials("right")
        let url = server.url.replacing("http://", with: "http://joe@")
        #expect(try await discover(remote(url, credentials)) == "refs")
        #expect(credentials.events.first == .asked(server.url + "/", username: "joe"))
    }

    @Test func aPostMayBeTheFirstToNeedACredential() async throws {
        let server = HTTPTestServer { exchange in
            let isKnown = exchange.request.headers["authorization"] == basic("joe:right")
            if exchange.request.method == "GET" || isKnown {
                exchange.answerSmart()
            } else {
                exchange.answer(401, ["WWW-Authenticate: Basic"])
            }
        }
        let credentials = ScriptedCredentials("right")
        let remote = try remote(server.url, credentials)
        _ = try await discover(remote)
        #expect(try await fetch(remote, "wants") == "pack")
        #expect(server.requests.last?.body == Array("wants".utf8))
        #expect(credentials.events.last == .approved("right"))
    }

    @Test func afterARedirectTheNewHostIsAskedAbout() async throws {
        let target = guarded("right")
        let place = target.url
        let server = HTTPTestServer { $0.answer(302, ["Location: \(place)/new\(tail)"]) }
        let credentials = ScriptedCredentials("right")
        let url = server.url.replacing("http://", with: "http://eve@") + "/old"
        #expect(try await discover(remote(url, credentials)) == "refs")
        #expect(credentials.events.first == .asked(place + "/new/", username: nil))
    }

    /// In a process of its own, whose home is another.
    @Test func netrcHasThePasswordOfAHost() async {
        await #expect(processExitsWith: .success) {
            let home = TestDirectory()
            try Data("machine 127.0.0.1 login joe password net\n".utf8).write(
                to: URL(fileURLWithPath: home.file(".netrc")))
            setenv("HOME", home.path, 1)
            let server = HTTPTestServer { $0.answerSmart() }
            for user in ["", "eve@", "eve:pw@"] {
                let url = try GitURL(server.url.replacing("http://", with: "http://" + user))
                let remote = try HTTPRemote(
                    url, transport: CurlTransport(), credentials: NoCredentials())
                _ = try await remote.discover(.uploadPack, protocolVersion: 2).all()
            }
            let sent = server.requests.map { $0.headers["authorization"] }
            try #require(sent == [basic("joe:net"), nil, basic("eve:pw")])
        }
    }

    @Test func whatIsNotBasicIsNotAnswered() async throws {
        let server = guarded("right", "Negotiate, Bearer realm=\"x\"")
        let credentials = ScriptedCredentials("right")
        let error = await failure { _ = try await discover(try remote(server.url, credentials)) }
        #expect(error?.code == .authentication)
        #expect(credentials.events == [])
    }

    @Test func basicIsFoundAmongOthers() async throws {
        let server = guarded("right", "Bearer realm=\"x\", BASIC realm=\"y\"")
        #expect(try await discover(remote(server.url, ScriptedCredentials("right"))) == "refs")
    }

    @Test func anExtraAuthorizationHeaderTakesThePlaceOfCredentials() async throws {
        let server = guarded("right")
        var options = HTTPOptions()
        options.extraHeaders = ["AUTHORIZATION: bearer token"]
        let credentials = ScriptedCredentials("right")
        let error = await failure {
            _ = try await discover(try remote(server.url, credentials, options))
        }
        #expect(error?.code == .authentication)
        #expect(server.requests.map { $0.headers["authorization"] } == ["bearer token"])
    }

    // MARK: failures

    @Test(arguments: [
        (404, ClientError.Code.notFound, "repository 'BASE/p/' not found"),
        (403, .forbidden, "unable to access 'BASE/p/': The requested URL returned error: 403"),
        (410, .notFound, "unable to access 'BASE/p/': The requested URL returned error: 410"),
        (500, .httpStatus, "unable to access 'BASE/p/': The requested URL returned error: 500"),
        (304, .redirect, "unable to access 'BASE/p/': unexpected redirect (304)"),
        (204, .httpStatus, "unable to access 'BASE/p/': The requested URL returned error: 204"),
    ])
    func aStatusIsAFailure(status: Int, code: ClientError.Code, message: String) async throws {
        let server = HTTPTestServer { $0.answer(status) }
        let error = await failure { _ = try await discover(try remote(server.url + "/p")) }
        #expect(error?.code == code)
        #expect(error?.status == status)
        #expect(error?.message == message.replacing("BASE", with: server.url))
        let other = try remote(server.url + "/p")
        #expect(await failure { _ = try await fetch(other) }?.code == code)
    }

    @Test func theServersTextIsShownWithoutItsControlCharacters() async throws {
        let server = HTTPTestServer {
            $0.answer(
                403, ["Content-Type: text/plain; charset=utf-8"],
                body: "No\u{1b}[31m\r\nsecond\n\n")
        }
        _ = await failure { _ = try await discover(try remote(server.url)) }
        #expect(notices.all == [.remote("No\\x1b[31m"), .remote("second")])
    }

    @Test func htmlIsNotShown() async throws {
        let server = HTTPTestServer {
            $0.answer(403, ["Content-Type: text/html"], body: "<p>")
        }
        _ = await failure { _ = try await discover(try remote(server.url)) }
        #expect(notices.all == [])
    }

    @Test func anEndlessErrorTextIsCutOff() async throws {
        let server = HTTPTestServer { exchange in
            exchange.write("HTTP/1.1 403 No\r\nContent-Type: text/plain\r\n\r\n")
            let line = Array(repeating: UInt8(ascii: "a"), count: 1023) + [0x0a]
            while exchange.write(line) {}
        }
        #expect(
            await failure { _ = try await discover(try remote(server.url)) }?.code == .forbidden)
        #expect(notices.all.count == HTTPLimits.errorBody / 1024)
    }

    @Test func aWebPageIsNoRepository() async throws {
        let server = HTTPTestServer {
            $0.answer(200, ["Content-Type: text/html; charset=utf-8"], body: "<html>")
        }
        let error = await failure { _ = try await discover(try remote(server.url + "/p")) }
        #expect(error?.code == .protocolError)
        #expect(
            error?.message
                == "'\(server.url)/p/' is not a Git repository:"
                + " the server answered with 'text/html'")
    }

    @Test func aDumbServerIsRecognised() async throws {
        let server = HTTPTestServer {
            $0.answer(
                200, ["Content-Type: text/plain"],
                body: String(repeating: "a", count: 40) + "\trefs/heads/main\n")
        }
        let error = await failure { _ = try await discover(try remote(server.url)) }
        #expect(error?.code == .unsupported)
        #expect(error?.message.contains("dumb") == true)
    }

    @Test(arguments: [
        "application/x-git-upload-pack-advertisemen",
        "x/application/x-git-upload-pack-advertisement",
        "application/x-git-receive-pack-advertisement", "application/x-git-upload-pack-result", "",
    ])
    func theContentTypeIsExact(type: String) async throws {
        let server = HTTPTestServer { $0.answer(200, ["Content-Type: \(type)"], body: "x") }
        #expect(
            await failure { _ = try await discover(try remote(server.url)) }?.code == .protocolError
        )
        if type != "application/x-git-upload-pack-result" {
            let other = try remote(server.url)
            #expect(await failure { _ = try await fetch(other) }?.code == .protocolError)
        }
    }

    @Test func theContentTypeMayHaveParametersAndAnyCase() async throws {
        let server = HTTPTestServer {
            $0.answer(
                200, ["Content-Type:  Application/X-Git-Upload-Pack-Advertisement ; a=b"], body: "x"
            )
        }
        #expect(try await discover(remote(server.url)) == "x")
    }

    // MARK: asking again

    @Test(arguments: [429, 502, 503, 504])
    func aBusyServerIsAskedAgain(status: Int) async throws {
        let server = HTTPTestServer { exchange in
            if exchange.server.requests.count < 3 {
                exchange.answer(status, ["Retry-After: 0"])
            } else {
                exchange.answerSmart()
            }
        }
        #expect(try await discover(remote(server.url)) == "refs")
    }

    @Test func aServerThatStaysBusyIsAFailure() async throws {
        let server = HTTPTestServer { $0.answer(503, ["Retry-After: 0"]) }
        let error = await failure { _ = try await discover(try remote(server.url)) }
        #expect(error?.status == 503)
        #expect(server.requests.count == HTTPLimits.retries + 1)
    }

    @Test(arguments: ["31", "86400", "99999999999999999999999"])
    func aServerThatWantsTooMuchPatienceIsNotWaitedFor(seconds: String) async throws {
        let server = HTTPTestServer { $0.answer(503, ["Retry-After: \(seconds)"]) }
        let error = await failure { _ = try await discover(try remote(server.url)) }
        #expect(error?.status == 503)
        #expect(server.requests.count == 1)
    }

    @Test func aConnectionThatBreaksBeforeAnAnswerIsTriedAgain() async throws {
        let server = HTTPTestServer { exchange in
            if exchange.server.requests.count > 2 { exchange.answerSmart() }
        }
        #expect(try await discover(remote(server.url)) == "refs")
        #expect(server.requests.count == 3)
    }

    @Test func aConnectionThatBreaksInTheAnswerIsNot() async throws {
        let server = HTTPTestServer {
            $0.write("HTTP/1.1 200 OK\r\n\(advertisement)\r\nContent-Length: 9\r\n\r\nabc")
        }
        #expect(await failure { _ = try await discover(try remote(server.url)) }?.code == .network)
        #expect(server.requests.count == 1)
    }

    @Test func aPostIsNotSentAgain() async throws {
        let server = HTTPTestServer { $0.answer(503, ["Retry-After: 0"]) }
        let remote = try remote(server.url)
        #expect(await failure { _ = try await fetch(remote) }?.status == 503)
        #expect(server.requests.count == 1)
    }

    @Test func unverifiedTLSIsSaidAloud() async throws {
        var options = HTTPOptions()
        options.verifiesTLS = false
        let error = await failure {
            _ = try await discover(
                try remote("https://127.0.0.1:1/p", NoCredentials(), options))
        }
        #expect(error?.code == .network)
        guard case .warning(let text) = notices.all.first else {
            Issue.record("no warning")
            return
        }
        #expect(text.contains("NOT verified"))
    }

    @Test func onlyHTTPIsTaken() {
        for url in ["ssh://h/p", "h:p", "/p", "file:///p"] {
            #expect(throws: ClientError.self) { try remote(url) }
        }
    }
}
