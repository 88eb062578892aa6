public import GitCore

/// How a pack that somebody pushes, or that a fetch brings, is taken in.
public struct ReceiveSettings: Sendable {
    /// A pack of fewer objects is parted into loose ones (receive.unpackLimit, transfer.unpackLimit).
    public var unpackLimit = 100
    /// Most bytes of a pack; nil for no limit of its own (receive.maxInputSize).
    public var maximumSize: UInt64?
    /// Whether every object is checked (receive.fsckObjects, transfer.fsckObjects).
    public var checksObjects = true
    /// Which faults of objects are refused (`receive.fsck.<id>`).
    public var policy = FaultPolicy()
    public var limits = PackLimits()
    /// Threads that compute, besides the caller's own.
    public var threads = Workers.processorCount
    /// Most bytes of memory to work with; see ``PackIndexer/Options/memory``.
    public var memory = 256 << 20
    /// Whether it is found what objects of the pack point to that it does not hold.
    package var findsMissingLinks = false
    /// Who is said to hold the pack until refs lead to it: the name of the program of Git that does this.
    package var holder: ByteString = "receive-pack"

    public init() {}

    /// As configured. What Git leaves unchecked unless it is told otherwise is checked unless it is told
    /// otherwise.
    ///
    /// - Throws: ``StoreError/Code/invalid`` for a value that makes no sense.
    public init(_ config: Config) throws(StoreError) {
        try take(config, of: "receive")
        if let size = try config.int("receive.maxinputsize"), size > 0 {
            maximumSize = UInt64(size)
        }
    }

    /// As configured for a fetch. Objects are checked only where the configuration says so, as by Git.
    ///
    /// - Throws: ``StoreError/Code/invalid`` for a value that makes no sense.
    package init(fetching config: Config) throws(StoreError) {
        checksObjects = false
        holder = "fetch-pack"
        findsMissingLinks = true
        try take(config, of: "fetch")
    }

    /// What is said of one of the two counts more than what is said of both.
    private mutating func take(_ config: Config, of section: String) throws(StoreError) {
        for section in ["transfer", section] {
            if let limit = try config.int(section + ".unpacklimit") { unpackLimit = limit }
            if let checks = try config.bool(section + ".fsckobjects") { checksObjects = checks }
        }
        policy = try FaultPolicy(config, prefix: section + ".fsck.")
    }
}

/// Which faults of objects are refused, which only told, and which passed over.
///
/// Where nothing else is said, all are refused but those that Git only informs of.
public struct FaultPolicy: Sendable {
    public enum Treatment: Sendable { case ignored, told, refused }

    private var treatments: [String: Treatment] = [:]
    private var skipped: Set<ObjectID> = []

    public init() {}

    /// Longest list of objects that are passed over, in bytes.
    private static let largestSkipList = 64 << 20
    /// What no configuration lets through: the object cannot be read.
    private static let fatal: Set<String> = ["nulinheader", "unterminatedheader"]

    /// - Parameter prefix: of the variables: `receive.fsck.` or `fsck.`.
    init(_ config: Config, prefix: String) throws(StoreError) {
        for entry in config.entries where entry.key.bytes.hasPrefix(ByteString(prefix)) {
            let name = entry.key.name.printable
            guard entry.key.stem + "." == ByteString(prefix) else { continue }
            if name == "skiplist" {
                if let path = try config.path(prefix + name) { try skip(listedIn: path) }
                continue
            }
            switch entry.value {
            case "error": treatments[name] = .refused
            case "warn": treatments[name] = Self.fatal.contains(name) ? .refused : .told
            case "ignore": treatments[name] = Self.fatal.contains(name) ? .refused : .ignored
            default:
                throw StoreError(
                    .invalid, "unknown fsck message type: '\(entry.value ?? "")' for '\(entry.key)'"
                )
            }
        }
    }

    /// A line for each object, in hex; `#` begins a comment.
    private mutating func skip(listedIn path: ByteString) throws(StoreError) {
        for line in ByteString(try FileSystem.read(path, limit: Self.largestSkipList)).split(0x0a) {
            let text = ByteString(line.bytes.prefix { $0 != 0x23 && $0 != 0x20 && $0 != 0x0d })
            if text.isEmpty { continue }
            guard let oid = ObjectID(hex: text) else {
                throw StoreError(.invalid, "'\(path)' has a line that is no object id: \(line)")
            }
            skipped.insert(oid)
        }
    }

    public func treatment(of fault: ObjectFault, in oid: ObjectID) -> Treatment {
        if skipped.contains(oid) { return .ignored }
        if let treatment = treatments[fault.id.lowercased()] { return treatment }
        return fault.isError(strict: true) ? .refused : .told
    }
}
