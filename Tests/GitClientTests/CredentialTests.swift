import Foundation
import GitCore
import GitStore
import Testing

@testable import GitClient

/// Helpers that are shell scripts in a directory of their own.
private final class Helpers: Sendable {
    let directory = TestDirectory()

    /// The setting for a script that notes how it was called, and what it read, and writes `answer`.
    func script(_ name: String, _ answer: String, status: Int = 0) -> ByteString {
        let log = directory.file(name)
        return ByteString(
            "!f() { echo \"$1\" >>\(log); cat >>\(log); printf '\(answer)'; exit \(status); }; f")
    }

    func log(_ name: String) -> String? {
        try? String(contentsOfFile: directory.file(name), encoding: .utf8)
    }
}

private func credentials(
    _ helpers: [ByteString], _ change: (inout CredentialOptions) -> Void = { _ in }
) -> GitCredentialHelpers {
    var options = CredentialOptions()
    options.helpers = helpers
    options.asksOnTerminal = false
    change(&options)
    let made = options
    return GitCredentialHelpers { _ in made }
}

@Suite(.timeLimit(.minutes(10))) struct CredentialHelperTests {
    private let helpers = Helpers()

    private func request(
        _ url: String = "https://example.com:8443/a%20b.git/", _ user: ByteString? = nil
    ) throws -> CredentialRequest {
        CredentialRequest(url: try GitURL(url), username: user)
    }

    @Test func aHelperIsAskedInGitsWords() async throws {
        let helper = helpers.script("a", "username=joe\\npassword=s=e cret\\n")
        let found = try await credentials([helper]).credential(for: request())
        #expect(found == Credential(username: "joe", password: "s=e cret"))
        #expect(helpers.log("a") == "get\nprotocol=https\nhost=example.com:8443\n")
    }

    @Test func thePathIsToldWhereItIsWanted() async throws {
        let helper = helpers.script("a", "username=joe\\npassword=x\\n")
        _ = try await credentials([helper]) { $0.usesPath = true }.credential(for: request())
        #expect(
            helpers.log("a") == "get\nprotocol=https\nhost=example.com:8443\npath=a b.git\n")
    }

    @Test func theUserIsTold() async throws {
        let helper = helpers.script("a", "password=x\\n")
        let given = try await credentials([helper]) { $0.username = "set" }
            .credential(for: request("https://h/", "joe"))
        #expect(given == Credential(username: "joe", password: "x"))
        let configured = try await credentials([helper]) { $0.username = "set" }
            .credential(for: request("https://h/"))
        #expect(configured?.username == "set")
    }

    @Test func helpersAreAskedInTurnAndAddUp() async throws {
        let first = helpers.script("a", "username=joe\\n")
        let failing = helpers.script("b", "username=eve\\npassword=y\\n", status: 1)
        let last = helpers.script("c", "password=x\\n")
        let found = try await credentials([first, failing, last]).credential(for: request())
        #expect(found == Credential(username: "joe", password: "x"))
        #expect(helpers.log("c")?.contains("username=joe\n") == true)
    }

    @Test func aHelperThatAnswersIsTheLast() async throws {
        let first = helpers.script("a", "username=joe\\npassword=x\\n")
        let second = helpers.script("b", "")
        _ = try await credentials([first, second]).credential(for: request())
        #expect(helpers.log("b") == nil)
    }

    @Test func aHelperCanTellToQuit() async throws {
        let first = helpers.script("a", "quit=1\\n")
        let second = helpers.script("b", "username=joe\\npassword=x\\n")
        let error = await failure {
            _ = try await credentials([first, second]).credential(for: request())
        }
        #expect(error?.code == .authentication)
        #expect(helpers.log("b") == nil)
    }

    @Test func approvedAndRejectedCredentialsAreToldToAll() async throws {
        let both = [helpers.script("a", ""), helpers.script("b", "", status: 1)]
        let provider = credentials(both)
        let credential = Credential(username: "joe", password: "x")
        await provider.approve(credential, for: try request())
        await provider.reject(credential, for: try request())
        let fields = "protocol=https\nhost=example.com:8443\nusername=joe\npassword=x\n"
        for name in ["a", "b"] {
            #expect(helpers.log(name) == "store\n" + fields + "erase\n" + fields)
        }
    }

    @Test func gitsOwnHelperKeepsACredential() async throws {
        let file = helpers.directory.file("store")
        let provider = credentials([ByteString("store --file=\(file)")])
        let credential = Credential(username: "joe", password: "p@ss/word")
        await provider.approve(credential, for: try request())
        #expect(try await provider.credential(for: request()) == credential)
        await provider.reject(credential, for: try request())
        let error = await failure { _ = try await provider.credential(for: request()) }
        #expect(error?.code == .authentication)
    }

    @Test func aHelperByItsPathIsRun() async throws {
        let path = helpers.directory.file("helper")
        try writeScript(path, "echo username=$2; echo password=$1")
        let found = try await credentials([ByteString(path + " arg")]).credential(for: request())
        #expect(found == Credential(username: "get", password: "arg"))
    }

    @Test(arguments: [
        "username=joe\\npassword=x\\r\\r\\n", "username=joe\\000\\npassword=x\\n", "nonsense\\n",
        "username=a\\rb\\npassword=x\\n",
    ])
    func aMalformedAnswerIsRefused(answer: String) async throws {
        let error = await failure {
            _ = try await credentials([helpers.script("a", answer)]).credential(for: request())
        }
        #expect(error?.code == .invalid)
    }

    @Test func anEndlessAnswerIsCutOff() async throws {
        let error = await failure {
            _ = try await credentials(["!yes username=joe #"]).credential(for: request())
        }
        #expect(error?.code == .authentication)
    }

    @Test func cancellingEndsTheHelper() async throws {
        let provider = credentials(["!exec sleep 30 #"])
        let asked = try request()
        let task = Task { try await provider.credential(for: asked) }
        try await Task.sleep(for: .milliseconds(100))
        let start = ContinuousClock.now
        task.cancel()
        #expect(await failure { _ = try await task.value }?.code == .cancelled)
        #expect(ContinuousClock.now - start < .seconds(5))
    }

    @Test func aHelperThatReadsNothingIsNoHarm() async throws {
        let found = try await credentials(["!echo username=a; echo password=b #"])
            .credential(for: request())
        #expect(found == Credential(username: "a", password: "b"))
    }

    @Test(arguments: ["a\nhost=evil", "a\rb", "a\0b"])
    func lineEndsAreNeverWritten(value: String) throws {
        var message = CredentialMessage(try request(), withPath: false)
        message.username = ByteString(value)
        #expect(throws: ClientError.self) { try message.serialized() }
        message.username = nil
        message.password = ByteString(value)
        #expect(throws: ClientError.self) { try message.serialized() }
    }

    @Test func noDescriptionShowsThePassword() {
        let credential = Credential(username: "joe", password: "sekret")
        var dumped = ""
        dump(credential, to: &dumped)
        for text in ["\(credential)", String(reflecting: credential), dumped] {
            #expect(!text.contains("sekret"))
        }
    }
}

@Suite(.timeLimit(.minutes(10))) struct CredentialPromptTests {
    private let directory = TestDirectory()

    private func request(_ user: ByteString? = nil) throws -> CredentialRequest {
        CredentialRequest(url: try GitURL("https://example.com/p"), username: user)
    }

    @Test func withoutATerminalTheMessageIsGits() async throws {
        let error = await failure {
            _ = try await credentials([]).credential(for: request())
        }
        #expect(
            error?.message
                == "could not read Username for 'https://example.com': terminal prompts disabled")
        let password = await failure {
            _ = try await credentials([]).credential(for: request("joe"))
        }
        #expect(
            password?.message
                == "could not read Password for 'https://joe@example.com': terminal prompts disabled"
        )
    }

    @Test func aProgramIsAsked() async throws {
        let path = directory.file("ask")
        let log = directory.file("log")
        try writeScript(path, "echo \"$1\" >>\(log); printf 'answer to %.8s\\nmore' \"$1\"")
        let found = try await credentials([]) { $0.askProgram = ByteString(path) }
            .credential(for: request())
        #expect(
            found == Credential(username: "answer to Username", password: "answer to Password"))
        let asked = try String(contentsOfFile: log, encoding: .utf8)
        #expect(
            asked == "Username for 'https://example.com': \n"
                + "Password for 'https://answer to Username@example.com': \n")
    }

    @Test func aProgramThatFailsLeavesItToTheTerminal() async throws {
        let error = await failure {
            _ = try await credentials([]) { $0.askProgram = "false" }.credential(for: request())
        }
        #expect(error?.message.hasSuffix("terminal prompts disabled") == true)
    }

    @Test func thePersonIsAskedOnTheTerminal() async throws {
        let terminal = try PseudoTerminal()
        let provider = GitCredentialHelpers(
            options: { _ in CredentialOptions() },
            terminal: TerminalPrompt(device: ByteString(terminal.device)))
        let asked = try request()
        let task = Task { try await provider.credential(for: asked) }
        #expect(await terminal.read(until: ": ").hasSuffix("Username for 'https://example.com': "))
        terminal.type("joe\n")
        // What is typed is shown.
        #expect(await terminal.read(until: ": ").contains("joe\r\nPassword for"))
        terminal.type("sekret\n")
        #expect(try await task.value == Credential(username: "joe", password: "sekret"))
        #expect(await !terminal.read(until: "\n").contains("sekret"))
        #expect(terminal.echoes)
    }

    @Test func cancellingEndsTheQuestionAndShowsWhatIsTypedAgain() async throws {
        let terminal = try PseudoTerminal()
        let prompt = TerminalPrompt(device: ByteString(terminal.device))
        let task = Task { try await prompt.ask("Password: ", echo: false) }
        _ = await terminal.read(until: ": ")
        #expect(!terminal.echoes)
        task.cancel()
        #expect(await failure { _ = try await task.value }?.code == .cancelled)
        #expect(terminal.echoes)
    }

    @Test func withoutADeviceTheReasonIsSaid() async throws {
        let provider = GitCredentialHelpers(
            options: { _ in CredentialOptions() },
            terminal: TerminalPrompt(device: "/nonexistent/tty"))
        let error = await failure { _ = try await provider.credential(for: request()) }
        #expect(error?.code == .authentication)
        #expect(
            error?.message == "could not read Username for 'https://example.com': "
                + "No such file or directory")
    }
}

/// A terminal whose person is the test.
private final class PseudoTerminal: Sendable {
    private let master: Int32
    private let slave: Int32
    let device: String

    init() throws {
        master = open("/dev/ptmx", O_RDWR | O_NOCTTY)
        var number: Int32 = 0
        var locked: Int32 = 0
        let getNumber: UInt = 0x8004_5430  // TIOCGPTN
        let setLock: UInt = 0x4004_5431  // TIOCSPTLCK
        try #require(master >= 0)
        try #require(ioctl(master, setLock, &locked) == 0)
        try #require(ioctl(master, getNumber, &number) == 0)
        device = "/dev/pts/\(number)"
        // Held open, so that the terminal's settings outlive the prompt.
        slave = open(device, O_RDWR | O_NOCTTY)
        try #require(slave >= 0)
    }

    deinit {
        close(slave)
        close(master)
    }

    var echoes: Bool {
        var settings = termios()
        return tcgetattr(slave, &settings) == 0 && settings.c_lflag & tcflag_t(ECHO) != 0
    }

    func type(_ text: String) {
        // The prompt discards what was typed before it silenced the terminal.
        usleep(50_000)
        _ = Array(text.utf8).withUnsafeBytes { write(master, $0.baseAddress, $0.count) }
    }

    /// What the terminal shows, up to `end`; what there is after five seconds.
    func read(until end: String) async -> String {
        var shown: [UInt8] = []
        for _ in 0 ..< 500 {
            var state = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
            if poll(&state, 1, 0) == 1 {
                var byte: UInt8 = 0
                guard Foundation.read(master, &byte, 1) == 1 else { break }
                shown.append(byte)
                if shown.suffix(end.utf8.count).elementsEqual(end.utf8) { break }
            } else {
                try? await Task.sleep(for: .milliseconds(10))
            }
        }
        return String(decoding: shown, as: UTF8.self)
    }
}

@Suite struct CredentialOptionsTests {
    private func options(
        _ text: String, _ url: String, environment: [String: ByteString] = [:]
    ) throws -> CredentialOptions {
        let config = Config(try ConfigFile(parsing: Array(text.utf8)))
        return try CredentialOptions(
            config: config, url: GitURL(url), environment: Environment(environment))
    }

    @Test func allHelpersThatMatchAreAsked() throws {
        let text = """
            [credential]
            helper = one
            useHttpPath = false
            [credential "https://example.com"]
            helper = two
            username = joe
            useHttpPath = true
            [credential "https://other.org"]
            helper = three
            [credential "example.com"]
            helper = four
            [credential "http://example.com"]
            helper = five
            """
        let read = try options(text, "https://example.com/x")
        #expect(read.helpers == ["one", "two", "four"])
        #expect(read.username == "joe")
        #expect(read.usesPath)
        #expect(try options(text, "https://third.org/").helpers == ["one"])
    }

    @Test func anEmptyHelperBeginsAnew() throws {
        let text = """
            [credential]
            helper = one
            [credential "https://example.com"]
            helper =
            helper = two
            """
        #expect(try options(text, "https://example.com/").helpers == ["two"])
        #expect(try options(text, "https://other.org/").helpers == ["one"])
    }

    @Test func programsThatAskComeInGitsOrder() throws {
        let text = "[core]\naskPass = core\n"
        let all: [String: ByteString] = ["GIT_ASKPASS": "git", "SSH_ASKPASS": "ssh"]
        #expect(try options(text, "https://h/", environment: all).askProgram == "git")
        let ssh: [String: ByteString] = ["SSH_ASKPASS": "ssh"]
        #expect(try options(text, "https://h/", environment: ssh).askProgram == "core")
        #expect(try options("", "https://h/", environment: ssh).askProgram == "ssh")
    }

    @Test func theTerminalCanBeForbidden() throws {
        #expect(try options("", "https://h/").asksOnTerminal)
        #expect(
            try !options("", "https://h/", environment: ["GIT_TERMINAL_PROMPT": "0"])
                .asksOnTerminal)
    }
}
