import GitCache
import GitCore

struct CacheCommand: Command {
    static let name = "cache"
    static let summary = "Stand between Git clients and a slow upstream"
    static let usage = [
        "cache --store <directory> --upstream <host>[=<url>]... [--listen <address>:<port>] [<options>]"
    ]
    static let options: [Option<CacheCommand>] = [
        .value("--store <directory>", \.store, "keep mirrors and answers in this directory"),
        .values(
            "--upstream <host>[=<url>]", \.upstreams,
            "serve /<host>/... from there; https://<host>/ if no URL is given"),
        .value(
            "--listen <address>:<port>", \.listen,
            "where to listen; 127.0.0.1:8080 if not given, ':<port>' for all addresses"),
        .number(
            "--answers <MiB>", \.answers, "take so much of the disk for answers (10240)"),
        .number(
            "--grace <seconds>", \.grace,
            "when asked to end, finish what runs for as long (10)"),
        .flag("-q, --quiet", \.isQuiet, "do not write a line a request to standard output"),
    ]

    private var store: ByteString?
    private var upstreams: [ByteString] = []
    private var listen: ByteString?
    private var answers: Int?
    private var grace: Int?
    private var isQuiet = false

    func run(_ invocation: Invocation) throws {
        guard let store else { throw UsageError("--store is needed.") }
        guard !upstreams.isEmpty else { throw UsageError("--upstream is needed.") }
        var options = CacheOptions(
            store: store, upstreams: try upstreams.map { try UpstreamHost(parsing: $0) })
        if let listen { (options.address, options.port) = try ListenAddress.parse(listen) }
        if let answers {
            guard (1 ... Self.most).contains(answers) else {
                throw UsageError("--answers has to be between 1 and \(Self.most).")
            }
            options.answerBudget = UInt64(answers) << 20
        }
        guard (0 ... Self.most).contains(grace ?? 0) else {
            throw UsageError("--grace has to be between 0 and \(Self.most).")
        }
        if !isQuiet { options.log = { writeOutput($0) } }
        let cache = try Cache(options)
        let names = options.upstreams.map(\.name.printable).joined(separator: ", ")
        let place = ListenAddress.text(options.address, cache.port)
        writeError("caching \(names) in '\(store)' at http://\(place)/\n")
        let ended = Ended()
        // Who asks twice does not want to wait.
        let signals = SignalWatch { if !ended.tell() { dieBySignal($0) } }
        defer { withExtendedLifetime(signals) {} }
        ended.wait()
        cache.stop(grace: .seconds(grace ?? 10))
    }

    private static let most = 1_000_000
}
