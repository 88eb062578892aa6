public import GitCore

/// How a connection is made: what Git's `http.*` settings say for one URL.
public struct HTTPOptions: Sendable, Hashable {
    /// Whether the server's certificate is verified: `http.sslVerify`, `GIT_SSL_NO_VERIFY`.
    public var verifiesTLS = true
    /// PEM file of the authorities to trust in place of the system's: `http.sslCAInfo`.
    public var authorityFile: ByteString?
    /// Directory of such files: `http.sslCAPath`.
    public var authorityDirectory: ByteString?
    /// The client's certificate and its key, PEM files: `http.sslCert`, `http.sslKey`.
    public var certificateFile: ByteString?
    public var keyFile: ByteString?
    /// The key that the server must have, in curl's form: `http.pinnedPubkey`.
    public var pinnedPublicKey: ByteString?
    /// The proxy's URL: `http.proxy`. Nil takes what the environment says (`https_proxy`, `no_proxy`
    /// and the like), an empty one goes without a proxy.
    public var proxy: ByteString?
    /// More headers for every request, each `Name: value`: `http.extraHeader`. They are not sent to
    /// another origin that the server redirects to.
    public var extraHeaders: [ByteString] = []
    /// `http.userAgent`.
    public var userAgent: ByteString = HTTPOptions.defaultUserAgent
    /// Seconds to connect, name look-up and TLS included.
    public var connectTimeout = HTTPLimits.connectSeconds
    /// A transfer slower than `lowSpeedLimit` bytes a second for `lowSpeedTime` seconds is given up:
    /// `http.lowSpeedLimit`, `http.lowSpeedTime`. Time that the reader of the body takes does not
    /// count.
    public var lowSpeedLimit = HTTPLimits.stallBytesPerSecond
    public var lowSpeedTime = HTTPLimits.stallSeconds
    /// Whether only addresses are connected to that are out in the Internet: none of this machine, of a
    /// network of its own (RFC 1918, link-local, unique local) or of a cloud's, which tells its machines
    /// their secrets there. Looked at when the connection is made; else ``ClientError/Code/refusedAddress``.
    /// With ``proxy``, the proxy resolves the name, and nothing is looked at. One that the environment names
    /// has to be out in the Internet, too.
    public var refusesPrivateAddresses = false
    /// Whether a GET is sent again, a few times and after a while, where the server says that it has no time
    /// (429, 502, 503, 504).
    public var waitsForServer = true
    public var followRedirects = FollowRedirects.initial
    public var version = Version.automatic

    /// `http.followRedirects`. A POST is never redirected.
    public enum FollowRedirects: Sendable, Hashable {
        case never
        /// The first request only, the rest goes where it led.
        case initial
    }

    /// `http.version`.
    public enum Version: Sendable, Hashable {
        /// HTTP/2 over TLS where the server has it, else HTTP/1.1.
        case automatic
        case http1
    }

    public static let defaultUserAgent: ByteString = "git/apus-0.1"

    public init() {}
}

/// Limits on what a server may do to this client.
public enum HTTPLimits {
    /// Bytes of body that wait for their reader before the network has to wait.
    public static let bufferedBody = 1 << 20
    /// Bytes of an ``HTTPUpload`` that wait for the network before their maker has to wait.
    public static let bufferedUpload = 256 << 10
    /// Bytes that are read from the network at once.
    static let readSize = 256 << 10
    /// Bytes and fields of all headers of one answer together, interim answers included.
    public static let headerBytes = 128 << 10
    public static let headerFields = 500
    /// Bytes of an error's text that are read.
    public static let errorBody = 64 << 10
    /// Seconds after which no more of such a text is waited for.
    static let errorBodySeconds = 10
    /// Redirects that one request may follow.
    public static let redirects = 20
    /// Seconds to connect, name look-up and TLS included.
    public static let connectSeconds = 60
    /// A server may count objects for minutes before its first byte, and sends a sign of life every
    /// five seconds where the protocol lets it; 300 seconds without a byte is a dead one.
    public static let stallSeconds = 300
    public static let stallBytesPerSecond = 1
    /// How often a GET is sent again after a failure that may pass, and the seconds waited at most,
    /// whatever `Retry-After` says.
    public static let retries = 2
    public static let retrySeconds = 30
    /// Requests larger than this are compressed, as Git does.
    static let uncompressedRequest = 1024
}
