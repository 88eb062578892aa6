public import GitCore
import GitStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// What Git's `credential.*` settings and its environment say for one URL.
public struct CredentialOptions: Sendable, Hashable {
    /// `credential.helper`, in their order: a name (`store` stands for `git-credential-store`), an
    /// absolute path, or `!` and a shell command; each with arguments, if any.
    public var helpers: [ByteString] = []
    /// `credential.username`.
    public var username: ByteString?
    /// `credential.useHttpPath`: whether helpers are told the path and not the host alone.
    public var usesPath = false
    /// The program that asks the person: `GIT_ASKPASS`, `core.askPass`, `SSH_ASKPASS`.
    public var askProgram: ByteString?
    /// Whether the person may be asked on the terminal: `GIT_TERMINAL_PROMPT`.
    public var asksOnTerminal = true

    public init() {}
}

/// Credentials as `git` finds them: from its credential helpers, else from the person.
public struct GitCredentialHelpers: CredentialProvider {
    public typealias OptionsOfURL = @Sendable (GitURL) throws(ClientError) -> CredentialOptions

    private let options: OptionsOfURL
    private let terminal: TerminalPrompt

    /// `options` says what the settings are for the URL of a repository.
    public init(options: @escaping OptionsOfURL) {
        self.init(options: options, terminal: TerminalPrompt())
    }

    init(options: @escaping OptionsOfURL, terminal: TerminalPrompt) {
        self.options = options
        self.terminal = terminal
    }

    public func credential(
        for request: CredentialRequest
    ) async throws(ClientError) -> Credential? {
        let options = try options(request.url.withUsername(request.username))
        var message = CredentialMessage(request, withPath: options.usesPath)
        message.username = request.username ?? options.username
        for helper in options.helpers {
            let answer = try await run(helper, "get", message, wantsOutput: true)
            // A helper that fails has nothing to say; the next one may.
            if answer.isSuccess { try message.merge(answer.output) }
            if let found = message.credential { return found }
            guard !message.quits else {
                throw ClientError(
                    .authentication, "credential helper '\(helper)' told us to quit")
            }
        }
        let person = Person(options: options, terminal: terminal)
        return try await person.complete(message)
    }

    public func approve(_ credential: Credential, for request: CredentialRequest) async {
        await tell("store", credential, request)
    }

    public func reject(_ credential: Credential, for request: CredentialRequest) async {
        await tell("erase", credential, request)
    }

    /// A helper that cannot store or erase is no reason to fail: the answer is here already.
    private func tell(
        _ operation: ByteString, _ credential: Credential, _ request: CredentialRequest
    ) async {
        do throws(ClientError) {
            let options = try options(request.url.withUsername(request.username))
            var message = CredentialMessage(request, withPath: options.usesPath)
            message.username = credential.username
            message.password = credential.password
            for helper in options.helpers {
                _ = try await run(helper, operation, message, wantsOutput: false)
            }
        } catch {}
    }

    private func run(
        _ helper: ByteString, _ operation: ByteString, _ message: CredentialMessage,
        wantsOutput: Bool
    ) async throws(ClientError) -> HelperProgram.Answer {
        let program = HelperProgram(shell: Self.command(helper) + " " + operation)
        return try await program.run(input: message.serialized(), wantsOutput: wantsOutput)
    }

    /// The shell's command line for a helper as it is configured.
    static func command(_ helper: ByteString) -> ByteString {
        switch helper.bytes.first {
        case UInt8(ascii: "!"): return helper.dropFirst(1)
        case UInt8(ascii: "/"): return helper
        default:
            let name = helper.bytes.prefix { !$0.isWhiteSpace }
            let program = ByteString("git-credential-") + ByteString(name)
            // Git keeps its own helpers where only it finds them.
            return isInPath(program)
                ? ByteString("git-credential-") + helper : ByteString("git credential-") + helper
        }
    }

    private static func isInPath(_ program: ByteString) -> Bool {
        guard let path = getenv("PATH") else { return false }
        let directories = ByteString(String(cString: path)).split(UInt8(ascii: ":"))
        return directories.contains { directory in
            !directory.isEmpty && (directory / program).withCString { access($0, X_OK) == 0 }
        }
    }
}

extension CredentialMessage {
    /// What is known by now, once it is enough.
    var credential: Credential? {
        guard let username, let password else { return nil }
        return Credential(username: username, password: password)
    }

    /// How a prompt names what it asks for: `https://user@host/path`.
    func subject(withUser: Bool) -> String {
        let user = withUser ? username.map { $0 + "@" } ?? ByteString() : ByteString()
        let path = path.map { "/" + $0 } ?? ByteString()
        return (scheme + "://" + user + host + path).printable
    }
}

/// The one who sits before the screen, asked by a program or on the terminal.
private struct Person {
    let options: CredentialOptions
    let terminal: TerminalPrompt

    /// Asks for what is missing.
    func complete(_ message: CredentialMessage) async throws(ClientError) -> Credential? {
        var message = message
        if message.username == nil {
            let subject = message.subject(withUser: false)
            message.username = try await ask("Username for '\(subject)'", echo: true)
        }
        if message.password == nil {
            let subject = message.subject(withUser: true)
            message.password = try await ask("Password for '\(subject)'", echo: false)
        }
        return message.credential
    }

    private func ask(_ question: String, echo: Bool) async throws(ClientError) -> ByteString {
        if let program = options.askProgram, !program.isEmpty,
            let answer = try await ask(question, program)
        {
            return answer
        }
        guard options.asksOnTerminal else {
            throw ClientError(
                .authentication, "could not read \(question): terminal prompts disabled")
        }
        do throws(ClientError) {
            return try await terminal.ask("\(question): ", echo: echo)
        } catch {
            if error.code == .cancelled { throw error }
            throw ClientError(.authentication, "could not read \(question): \(error.message)")
        }
    }

    /// Nil where the program fails.
    private func ask(
        _ question: String, _ program: ByteString
    ) async throws(ClientError) -> ByteString? {
        let answer = try await HelperProgram([program, ByteString("\(question): ")]).run(input: [])
        guard answer.isSuccess else { return nil }
        return ByteString(answer.output.prefix { $0 != 0x0a && $0 != 0x0d })
    }
}
