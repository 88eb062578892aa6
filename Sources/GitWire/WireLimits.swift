/// How much a peer may make us hold or do. A peer that goes past one gets ``WireError/Code/limit``.
///
/// A pkt-line's own limit is ``PktLine/maximumPayload``; it is the protocol's and not to be set.
public struct WireLimits: Sendable {
    /// Most refs in one advertisement; each costs about 200 bytes of memory.
    public var refs = 2_000_000
    /// Most bytes in one advertisement or answer to `ls-refs`.
    public var advertisementBytes: UInt64 = 256 << 20
    /// Most capabilities in a version 2 advertisement. (Version 0's list fits in one pkt-line.)
    public var capabilities = 4_096
    /// Most lines before the pack in the answer to a fetch: acknowledgments, shallow commits, …
    public var responseLines = 1_000_000
    /// Most bytes of progress text, and of packets with nothing in them, in the answer to a fetch. A
    /// server that tells its progress ten times a second for a day stays below it.
    public var progressBytes = 64 << 20

    public init() {}

    /// The limits used where none are given.
    public static let standard = WireLimits()

    /// Names of skipped refs kept to be shown.
    static let skippedNamesKept = 16
    /// Bytes of a reply that is not smart kept to find out what it is.
    static let bytesToRecognise = 512
}
