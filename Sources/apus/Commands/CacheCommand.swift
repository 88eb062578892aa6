import GitCache
import GitCore
import GitServer
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

struct CacheCommand: Command {
    static let name = "cache"
    static let summary = "Stand between Git clients and a slow upstream"
    static let usage = [
        "cache --config <file> [<options>]",
        "cache --store <directory> --upstream <host>[=<url>]... [--listen <address>:<port>] [<options>]",
        "cache (status | verify) --store <directory>",
        "cache purge --store <directory> <repository>...",
        "cache warm <url>...",
    ]
    static let options: [Option<CacheCommand>] = [
        .value(
            "--config <file>", \.config,
            "read the settings from this file, and again at SIGHUP; options come before it"),
        .value("--store <directory>", \.store, "keep mirrors and answers in this directory"),
        .values(
            "--upstream <host>[=<url>]", \.upstreams,
            "serve /<host>/... from there; https://<host>/ if no URL is given"),
        .flag(
            "--allow-private", \.allowsPrivate,
            "let the names of upstreams lead into the own network"),
        .value(
            "--listen <address>:<port>", \.listen,
            "where to listen; 127.0.0.1:8080 if not given, ':<port>' for all addresses"),
        .number(
            "--max-connections-per-address <n>", \.maximumConnectionsPerAddress,
            "keep no more open from one address (any number)"),
        .number(
            "--answers <MiB>", \.answers, "take so much of the disk for answers (10240)"),
        .number(
            "--mirrors <MiB>", \.mirrors, "take so much of the disk for mirrors (102400)"),
        .number(
            "--grace <seconds>", \.grace,
            "when asked to end, finish what runs for as long (10)"),
        .flag("-q, --quiet", \.isQuiet, "do not write a line a request to standard output"),
    ]

    private var config: ByteString?
    private var store: ByteString?
    private var upstreams: [ByteString] = []
    private var allowsPrivate = false
    private var listen: ByteString?
    private var maximumConnectionsPerAddress: Int?
    private var answers: Int?
    private var mirrors: Int?
    private var grace: Int?
    private var isQuiet = false

    func run(_ invocation: Invocation) throws {
        let options = try cacheOptions()
        let ended = Ended()
        let running = RunningCache()
        let signals = SignalWatch { number in
            if number == SIGHUP, config != nil {
                running.change { cache in reload(cache) }
            } else if !ended.tell() {
                // Who asks twice does not want to wait.
                dieBySignal(number)
            }
        }
        defer { withExtendedLifetime(signals) {} }
        let cache = try running.start(options)
        let place = ListenAddress(host: options.address, port: cache.port).text
        writeError("caching \(Self.names(options)) in '\(options.store)' at http://\(place)/\n")
        ended.wait()
        cache.stop()
    }

    private static func names(_ options: CacheOptions) -> String {
        options.upstreams.map(\.name.printable).joined(separator: ", ")
    }

    // MARK: Settings

    /// The file's settings, and the options of the command line in their place.
    private func cacheOptions() throws -> CacheOptions {
        var options =
            try config.map { try CacheOptions(settings: $0) }
            ?? CacheOptions(store: "", upstreams: [])
        if let store { options.store = store }
        guard !options.store.isEmpty else {
            throw missing("cache.store", "--store")
        }
        try takeUpstreams(&options)
        if let listen {
            let place = try ListenAddress(option: listen)
            (options.address, options.port) = (place.host, place.port)
        }
        if let maximumConnectionsPerAddress {
            guard (1 ... Self.most).contains(maximumConnectionsPerAddress) else {
                throw UsageError(
                    "--max-connections-per-address has to be between 1 and \(Self.most).")
            }
            options.maximumConnectionsPerAddress = maximumConnectionsPerAddress
        }
        if let answers {
            guard (1 ... Self.most).contains(answers) else {
                throw UsageError("--answers has to be between 1 and \(Self.most).")
            }
            options.answerBudget = UInt64(answers) << 20
        }
        if let mirrors {
            guard (1 ... Self.mostMirrors).contains(mirrors) else {
                throw UsageError("--mirrors has to be between 1 and \(Self.mostMirrors).")
            }
            options.mirrorBudget = UInt64(mirrors) << 20
        }
        if let grace {
            guard (0 ... Self.most).contains(grace) else {
                throw UsageError("--grace has to be between 0 and \(Self.most).")
            }
            options.grace = .seconds(grace)
        }
        if isQuiet { options.logsRequests = false }
        options.log = { writeOutput($0) }
        return options
    }

    private static let most = 1_000_000
    private static let mostMirrors = 1_000_000_000

    /// One of the command line stands in place of the file's section for the same host.
    private func takeUpstreams(_ options: inout CacheOptions) throws {
        let given = try upstreams.map { try UpstreamHost(parsing: $0) }
        options.upstreams.removeAll { old in given.contains { $0.isSame(as: old) } }
        options.upstreams += given
        guard !options.upstreams.isEmpty else {
            throw missing("[upstream \"<host>\"]", "--upstream")
        }
        guard allowsPrivate else { return }
        for index in options.upstreams.indices {
            options.upstreams[index].allowsPrivateAddresses = true
        }
    }

    private func missing(_ setting: String, _ option: String) -> any Error {
        guard let config else { return UsageError("\(option) is needed.") }
        return CacheError(.invalid, "'\(config)' has no \(setting), and there is no \(option)")
    }

    private func reload(_ cache: Cache) {
        do {
            let options = try cacheOptions()
            for name in try cache.reload(options) {
                writeError("warning: \(name) is as it was: it cannot change while the cache runs\n")
            }
            writeError("settings read again: caching \(Self.names(options))\n")
        } catch {
            let reason = (error as? UsageError)?.message ?? "\(error)"
            writeError("error: the settings are as they were: \(ByteString(reason).printable)\n")
        }
    }
}

/// The cache of the process: whoever asks for it while it is being started waits.
private final class RunningCache: Sendable {
    private let cache = Mutex<Cache?>(nil)

    func start(_ options: CacheOptions) throws -> Cache {
        try cache.withLock { cache in
            let started = try Cache(options)
            cache = started
            return started
        }
    }

    func change(_ body: (Cache) -> Void) { cache.withLock { if let cache = $0 { body(cache) } } }
}

extension UpstreamHost {
    /// Whether clients call it the same.
    fileprivate func isSame(as other: UpstreamHost) -> Bool {
        name.bytes.map(\.lowercased) == other.name.bytes.map(\.lowercased)
    }
}
