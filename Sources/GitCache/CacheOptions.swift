public import GitClient
public import GitCore

/// What a cache stands in front of, and how.
public struct CacheOptions: Sendable {
    /// The directory for all that it keeps; made where there is none.
    public var store: ByteString
    /// No other server is ever asked.
    public var upstreams: [UpstreamHost]
    /// Where clients connect to, without TLS. A name or an address of this machine; empty for all.
    public var address = "127.0.0.1"
    /// 0 for one that is free.
    public var port: UInt16 = 8_080
    /// Connections from one address that are open at once; 0 for any number.
    public var maximumConnectionsPerAddress = 0
    /// Bytes of answers that are kept.
    public var answerBudget: UInt64 = 10 << 30
    /// Bytes that mirrors may take on the disk. Those used least recently leave, but none that is in use.
    public var mirrorBudget: UInt64 = 100 << 30
    /// The most bytes of one pack that is fetched from an upstream. What is larger is passed on without being
    /// kept.
    public var maximumPackSize: UInt64 = 32 << 30
    /// For how long requests that run go on when the cache is stopped.
    public var grace: Duration = .seconds(10)
    /// For how long upstream's showing a client its refs is a right to fetch what they lead to.
    public var grantLifetime: Duration = .seconds(60)
    /// For how long a client is shown what it was shown before when upstream is away; zero for not at all.
    public var staleness: Duration = .zero
    /// Is handed a line of JSON for each request that is over, on a thread that nothing else needs.
    public var log: (@Sendable (String) -> Void)?
    /// Whether ``log`` is handed anything.
    package var logsRequests = true
    /// What connects to upstreams; how each is connected to, ``UpstreamHost/options`` says.
    public var transport: any HTTPTransport = CurlTransport()

    /// Those of a cache at port 8080 of this machine alone, with 10 GiB of answers and 100 GiB of mirrors.
    public init(store: ByteString, upstreams: [UpstreamHost]) {
        self.store = store
        self.upstreams = upstreams
    }
}

extension CacheOptions {
    var grantLimits: RefGrants.Limits {
        RefGrants.Limits(lifetime: grantLifetime, staleness: staleness)
    }
}
