public import GitCore

// gitprotocol-pack, "Report Status", in pkt-lines:
//
//     unpack SP ok LF, or unpack SP <reason> LF
//     ok SP <name> LF                             a ref that was changed; in version 2 there may
//     option SP refname SP <name> LF              follow what was done in place of what was asked
//     option SP old-oid SP <oid> LF
//     option SP new-oid SP <oid> LF
//     option SP forced-update LF
//     ng SP <name> SP <reason> LF                 one that was not
//     0000
//
// With side-band all of this is in band 1, and another flush packet ends the answer.

/// What came of a push.
public struct PushReport: Sendable {
    /// Which report the client can read.
    public enum Version: Sendable {
        /// It wants none.
        case none
        /// `report-status`
        case v1
        /// `report-status-v2`
        case v2
    }

    /// What was done, where it is not what was asked.
    public struct Change: Hashable, Sendable {
        public var name: RefName?
        public var old: ObjectID?
        public var new: ObjectID?
        public var isForced = false

        public init() {}
    }

    public enum Result: Hashable, Sendable {
        /// Done; otherwise than was asked where there are changes.
        case ok([Change] = [])
        /// Not done, and why: in a few words.
        case refused(ByteString)
    }

    /// Git's reason to refuse a name that no ref can have.
    public static let funnyRefname: ByteString = "funny refname"
    /// Git's reason to refuse every ref where the pack was.
    public static let unpackerError: ByteString = "unpacker error"

    /// Why the pack was refused; nil where it was not, or there was none.
    public var unpackError: ByteString?
    /// By the names that the client gave, in its order.
    public var results: [(name: ByteString, result: Result)] = []

    public init() {}

    /// - Throws: ``WireError/Code/limit`` where a name does not fit in a line, which none does not
    ///   that came from ``PushRequestDecoder``, but for the longest.
    func write(_ version: Version, to lines: inout PktLineWriter) throws(WireError) {
        try lines.line("unpack ", (unpackError ?? "ok").reason)
        for (name, result) in results {
            switch result {
            case .refused(let reason): try lines.line("ng ", name + " " + reason.reason)
            case .ok(let changes):
                try lines.line("ok ", name)
                guard version == .v2 else { continue }
                for (index, change) in changes.enumerated() {
                    if index > 0 { try lines.line("ok ", name) }
                    try change.write(to: &lines)
                }
            }
        }
        lines.flush()
    }
}

extension PushReport.Change {
    fileprivate func write(to lines: inout PktLineWriter) throws(WireError) {
        if let name { try lines.line("option refname ", name.bytes) }
        if let old { lines.line("option old-oid ", old, "\n") }
        if let new { lines.line("option new-oid ", new, "\n") }
        if isForced { lines.words("option forced-update\n") }
    }
}

extension ByteString {
    /// As one line that leaves room for a name.
    fileprivate var reason: ByteString { ByteString(withoutControls.bytes.prefix(1_000)) }
}

/// Writes the answer to a push: progress, then the report, then ``end()``.
public struct PushResponseWriter: Sendable {
    private var out: SideBandWriter
    private let version: PushReport.Version

    public init(_ request: PushRequest) {
        out = SideBandWriter(request.sideBand)
        version = request.report
    }

    /// Bytes that wait to be taken.
    public var count: Int { out.count }

    public mutating func takeBytes() -> [UInt8] { out.takeBytes() }

    /// Text for a person: what hooks say, how far it is. Nothing without side-band.
    public mutating func progress(_ text: ByteString) { out.progress(text) }

    /// A sign of life. Nothing without side-band.
    public mutating func keepAlive() { out.keepAlive() }

    /// What came of it; nothing where the client wants no report.
    ///
    /// - Throws: ``WireError/Code/limit`` where a name does not fit in a line.
    public mutating func report(_ report: PushReport) throws(WireError) {
        guard version != .none else { return }
        var lines = PktLineWriter()
        try report.write(version, to: &lines)
        lines.bytes.withUnsafeBytes { out.data($0) }
    }

    /// The last words, where there is no report; ``end()`` does not follow.
    public mutating func error(_ text: ByteString) {
        if out.size == .none { out.lines.error(text) } else { out.error(text) }
    }

    /// The end of the answer.
    public mutating func end() { out.end() }
}
