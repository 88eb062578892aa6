import GitCore
import GitServer

struct Serve: Command {
    static let name = "serve"
    static let summary = "Serve the repositories in a folder over HTTP"
    static let usage = ["serve --root <directory> [--listen <address>:<port>] [<options>]"]
    static let options: [Option<Serve>] = [
        .value("--root <directory>", \.root, "serve the repositories under this directory"),
        .value(
            "--listen <address>:<port>", \.listen,
            "where to listen; 127.0.0.1:8080 if not given, ':<port>' for all addresses"),
        .flag(
            "--export-all", \.exportsAll,
            "show everybody repositories that have no file git-daemon-export-ok, too"),
        .flag("--enable-push", \.allowsPush, "take pushes"),
        .value(
            "--passwords <file>", \.passwords,
            "who may log in: a file that htpasswd -B writes"),
        .value(
            "--tokens <file>", \.tokens,
            "who may log in with a token: lines of '<name>:<SHA-256 of the token>'"),
        .value(
            "--access <file>", \.access,
            "who may do what: lines of '<repository> read|write <name>...'"),
        .value("--tls-cert <file>", \.certificate, "serve over TLS: the certificate chain, in PEM"),
        .value("--tls-key <file>", \.key, "and its key"),
        .number(
            "--max-requests <n>", \.maximumRequests, "answer so many requests at once (1024)"),
        .number("--max-connections <n>", \.maximumConnections, "keep so many open (10000)"),
        .number(
            "--max-connections-per-address <n>", \.maximumConnectionsPerAddress,
            "and no more than that from one address (any number)"),
        .number(
            "--idle-timeout <seconds>", \.idleTimeout, "close connections that are idle (60)"),
        .number(
            "--grace <seconds>", \.grace,
            "when asked to end, finish what runs for as long (10)"),
        .flag("-q, --quiet", \.isQuiet, "do not write a line a request to standard output"),
    ]

    private var root: ByteString?
    private var listen: ByteString?
    private var certificate: ByteString?
    private var key: ByteString?
    private var maximumRequests: Int?
    private var maximumConnections: Int?
    private var maximumConnectionsPerAddress: Int?
    private var idleTimeout: Int?
    private var grace: Int?
    private var isQuiet = false
    private var exportsAll = false
    private var allowsPush = false
    private var passwords: ByteString?
    private var tokens: ByteString?
    private var access: ByteString?

    func run(_ invocation: Invocation) throws {
        guard let root else { throw UsageError("--root is needed.") }
        let options = try options(root)
        let server = try Server(options)
        let scheme = options.certificate == nil ? "http" : "https"
        let place = ListenAddress(host: options.address, port: server.port).text
        writeError("serving '\(root)' at \(scheme)://\(place)/\n")
        let ended = Ended()
        // Who asks twice does not want to wait.
        let signals = SignalWatch { if !ended.tell() { dieBySignal($0) } }
        defer { withExtendedLifetime(signals) {} }
        ended.wait()
        server.stop(grace: .seconds(grace ?? 10))
    }

    private func options(_ root: ByteString) throws -> ServerOptions {
        var options = ServerOptions(
            repositories: try RepositoryFolder(root, exportsAll: exportsAll),
            authorizer: try FileAuthorizer(passwords: passwords, tokens: tokens, rules: access))
        options.allowsPush = allowsPush
        if let listen {
            let place = try ListenAddress(option: listen)
            (options.address, options.port) = (place.host, place.port)
        }
        guard (certificate == nil) == (key == nil) else {
            throw UsageError("--tls-cert and --tls-key go together.")
        }
        options.certificate = certificate
        options.key = key
        func positive(_ value: Int?, _ name: String) throws -> Int? {
            guard value ?? 1 > 0, value ?? 1 <= Self.most else {
                throw UsageError("\(name) has to be between 1 and \(Self.most).")
            }
            return value
        }
        if let value = try positive(maximumRequests, "--max-requests") {
            options.maximumRequests = value
        }
        if let value = try positive(maximumConnections, "--max-connections") {
            options.maximumConnections = value
        }
        if let value = try positive(
            maximumConnectionsPerAddress, "--max-connections-per-address")
        {
            options.maximumConnectionsPerAddress = value
        }
        if let value = try positive(idleTimeout, "--idle-timeout") {
            options.idleTimeout = .seconds(value)
        }
        _ = try positive(grace, "--grace")
        if !isQuiet { options.log = { writeOutput($0) } }
        return options
    }

    private static let most = 1_000_000
}
