/// How an HTTP server listens, and what it puts up with.
package struct HTTPServerOptions: Sendable {
    /// A name or an address of this machine; empty for all.
    package var address = "127.0.0.1"
    /// 0 for one that is free.
    package var port: UInt16 = 0
    /// A certificate chain and its key, in PEM; without, plain HTTP is spoken.
    package var certificate: (chain: [UInt8], key: [UInt8])?
    /// Threads that move bytes.
    package var threads = 2
    package var maximumConnections = 10_000
    /// 0 for any number.
    package var maximumConnectionsPerAddress = 0
    /// Requests that are answered at once; more are told to come again.
    package var maximumRequests = 1_024
    package var backlog: Int32 = 1_024
    /// A head has to come in this time, and a connection may be idle for it.
    package var headTime: Duration = .seconds(60)
    /// A client that is to send, or to take, and moves less, in bytes a second over `paceWindow`, is cut
    /// off.
    package var minimumPace = 256
    package var paceWindow: Duration = .seconds(30)
    /// Bytes for the head of a request, and for what is on its way.
    package var connectionMemory = 64 << 10

    package init() {}
}
