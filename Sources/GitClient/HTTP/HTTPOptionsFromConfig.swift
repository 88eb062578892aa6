import GitCore
public import GitStore

extension HTTPOptions {
    /// What Git's `http.*` and `http.<url>.*` settings and its environment variables say for `url`:
    /// `sslVerify`, `sslCAInfo`, `sslCAPath`, `sslCert`, `sslKey`, `pinnedPubkey`, `proxy`,
    /// `extraHeader`, `userAgent`, `lowSpeedLimit`, `lowSpeedTime`, `followRedirects`, `version`.
    ///
    /// `http.postBuffer` and the settings of cookies have no effect here: a request is sent whole,
    /// and cookies are not kept.
    ///
    /// Throws ``ClientError/Code/invalid`` for a value that cannot be read.
    public init(
        config: Config, url: GitURL, environment: Environment = .process
    ) throws(ClientError) {
        self.init()
        do throws(StoreError) {
            let settings = URLSettings("http", config, for: url)
            try readTLS(settings, environment)
            try readSpeed(settings, environment)
            try readRedirects(settings)
            proxy = settings.string("proxy")
            extraHeaders = settings.list("extraheader")
            if let agent = environment["GIT_HTTP_USER_AGENT"] ?? settings.string("useragent") {
                userAgent = agent
            }
            if settings.string("version") == "HTTP/1.1" { version = .http1 }
        } catch {
            throw ClientError(.invalid, error.message, cause: error)
        }
    }

    private mutating func readTLS(
        _ settings: URLSettings, _ environment: Environment
    ) throws(StoreError) {
        verifiesTLS = try settings.bool("sslverify") ?? true
        if environment["GIT_SSL_NO_VERIFY"] != nil { verifiesTLS = false }
        let authorities = try settings.path("sslcainfo")
        authorityFile = environment["GIT_SSL_CAINFO"] ?? authorities
        let directory = try settings.path("sslcapath")
        authorityDirectory = environment["GIT_SSL_CAPATH"] ?? directory
        let certificate = try settings.path("sslcert")
        certificateFile = environment["GIT_SSL_CERT"] ?? certificate
        let key = try settings.path("sslkey")
        keyFile = environment["GIT_SSL_KEY"] ?? key
        pinnedPublicKey = try settings.path("pinnedpubkey")
    }

    /// A limit counts only with a time, as in Git; a time alone is one without any bytes.
    private mutating func readSpeed(
        _ settings: URLSettings, _ environment: Environment
    ) throws(StoreError) {
        let configuredTime = try settings.int("lowspeedtime")
        let time = environment["GIT_HTTP_LOW_SPEED_TIME"]?.number ?? configuredTime
        let configuredLimit = try settings.int("lowspeedlimit")
        let limit = environment["GIT_HTTP_LOW_SPEED_LIMIT"]?.number ?? configuredLimit
        guard let time else { return }
        lowSpeedTime = time
        if let limit { lowSpeedLimit = limit }
    }

    private mutating func readRedirects(_ settings: URLSettings) throws(StoreError) {
        guard settings.string("followredirects") != "initial" else { return }
        let follows = try settings.bool("followredirects") ?? true
        followRedirects = follows ? .initial : .never
    }
}

extension ByteString {
    fileprivate var number: Int? { Int(String(decoding: bytes, as: UTF8.self)) }
}
