public import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

// A reflog, `<git directory>/logs/<ref name>` (gitrepository-layout, "logs"): a line a change, oldest
// first:
//
//     <old hex oid> SP <new hex oid> SP <name> SP <<mail>> SP <seconds> SP <+hhmm> [TAB <message>] LF
//
// An oid of zeros stands for "no ref".

/// Which refs have their changes logged (core.logAllRefUpdates). One that has a log already goes on
/// with it, whatever this says.
public enum ReflogPolicy: Sendable {
    case none
    /// HEAD, branches, remote-tracking refs and notes.
    case branches
    /// HEAD and everything under `refs/`.
    case all

    func logs(_ name: RefName) -> Bool {
        switch self {
        case .none: false
        case .branches:
            name == .head
                || ["refs/heads/", "refs/remotes/", "refs/notes/"].contains(
                    where: name.bytes.hasPrefix)
        case .all: name == .head || name.bytes.hasPrefix("refs/")
        }
    }

    /// As configured; `true` if nothing is, but not in a bare repository.
    package init(_ config: Config, isBare: Bool) throws(StoreError) {
        if config.string("core.logallrefupdates")?.bytes.map(ConfigKey.lowercased)
            == Array("always".utf8)
        {
            self = .all
        } else if let value = try config.bool("core.logallrefupdates") {
            self = value ? .branches : .none
        } else {
            self = isBare ? .none : .branches
        }
    }
}

/// One line of a reflog.
public struct ReflogEntry: Hashable, Sendable {
    /// All zeros where the ref was new.
    public let old: ObjectID
    /// All zeros where it was deleted.
    public let new: ObjectID
    public let committer: Identity
    public let message: ByteString

    public init(old: ObjectID, new: ObjectID, committer: Identity, message: ByteString) {
        self.old = old
        self.new = new
        self.committer = committer
        self.message = message
    }

    /// The line, its LF with it. Runs of blanks in the message become one space.
    var encoded: [UInt8] {
        let words = message.bytes.split { $0 == 0x20 || (0x09 ... 0x0d).contains($0) }
        var line = old.hexBytes + [0x20] + new.hexBytes + [0x20] + committer.encoded.bytes
        if !words.isEmpty { line += [0x09] + words.joined(separator: [0x20]) }
        return line + [0x0a]
    }

    init(parsing line: ByteString, _ format: ObjectFormat) throws(ParseError) {
        var cursor = ByteCursor(line.bytes.span)
        old = try cursor.readHexObjectID(format)
        guard cursor.skip(" ") else { throw ParseError("space expected", at: cursor.offset) }
        new = try cursor.readHexObjectID(format)
        guard cursor.skip(" ") else { throw ParseError("space expected", at: cursor.offset) }
        let start = cursor.offset
        let rest = ByteString(cursor.readRest())
        let tab = rest.bytes.firstIndex(of: 0x09) ?? rest.count
        guard let committer = Identity(parsing: ByteString(rest.bytes[..<tab])) else {
            throw ParseError("reflog line without who and when", at: start)
        }
        self.committer = committer
        message = ByteString(rest.bytes[tab...].dropFirst())
    }
}

extension RefStore {
    /// Longest reflog that is read, in bytes.
    private static let maximumReflogSize = 256 << 20

    /// The ref's log, oldest change first; empty where it has none.
    public func reflog(_ name: RefName) throws(StoreError) -> [ReflogEntry] {
        let path = reflogPath(name)
        let content: [UInt8]
        do {
            content = try FileSystem.read(path, limit: Self.maximumReflogSize)
        } catch  where error.code == .notFound || error.systemError == EISDIR { return [] }
        var entries: [ReflogEntry] = []
        for line in content.split(separator: 0x0a) {
            do throws(ParseError) {
                entries.append(try ReflogEntry(parsing: ByteString(line), format))
            } catch {
                throw StoreError("'\(path)' line \(entries.count + 1)", error)
            }
        }
        return entries
    }

    /// Adds a line to the ref's log, if it has one or the policy gives it one.
    public func appendReflog(_ name: RefName, _ entry: ReflogEntry) throws(StoreError) {
        let path = reflogPath(name)
        let flags = O_WRONLY | O_APPEND | O_NOFOLLOW
        do {
            // One write, so that lines of several processes do not mix.
            return try File(path, flags).write(entry.encoded)
        } catch  where error.code == .notFound || error.systemError == EISDIR {
            guard reflogPolicy.logs(name) else { return }
        }
        try makeParents(of: name, under: "logs")
        RefDirectories.removeEmpty(path)
        try File(path, flags | O_CREAT).write(entry.encoded)
    }

    func reflogPath(_ name: RefName) -> ByteString {
        directory(of: name.bytes) / "logs" / name.bytes
    }

    func removeReflog(_ name: RefName) throws(StoreError) {
        let path = reflogPath(name)
        guard let status = FileSystem.status(path, followLinks: false),
            status.st_mode & S_IFMT != S_IFDIR
        else { return }
        try FileSystem.remove(path)
        RefDirectories.removeEmptyParents(of: name, in: directory(of: name.bytes) / "logs")
    }
}
