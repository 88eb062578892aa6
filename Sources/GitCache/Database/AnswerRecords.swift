import GitCore
import GitStore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// The rows about whole answers in `cache.db`: one each, written when its file has its name.
///
///     answer.serial       the file's name
///     answer.key          32 bytes
///     answer.repository   bytes
///     answer.size         bytes in the file
///     answer.checksum     their SHA-1, 20 bytes
///     answer.used         last use, in milliseconds since 1970, written now and then
///
/// A commit is in the system's hands when it returns, not on the disk: a killed process loses nothing; a
/// machine that loses power loses the last ones, but not the database.
final class AnswerRecords: Sendable {
    /// In `PRAGMA user_version`. Of another version nothing is kept.
    private static let schemaVersion: Int64 = 1
    /// No serial number comes near it: one that does was not given by this program.
    private static let serialEnd: Int64 = 1 << 62

    private static let deletion: StaticString = "DELETE FROM answer WHERE serial = ?"

    struct Record {
        let serial: UInt64
        let key: AnswerKey
        let size: UInt64
        let checksum: ByteString
        let used: UInt64
    }

    private let database: Mutex<Database>

    /// Opens the database of that file; where it is damaged or of another version, begins it anew.
    init(_ path: ByteString) throws(CacheError) {
        do throws(CacheError) {
            database = Mutex(try Self.open(path))
        } catch {
            guard let failure = error.cause as? DatabaseFailure, failure.isDamage else {
                throw error
            }
            try Self.remove(path)
            database = Mutex(try Self.open(path))
        }
    }

    private static func open(_ path: ByteString) throws(CacheError) -> Database {
        // SQLite would make it as the umask says, and gives its other files the same mode.
        do throws(StoreError) {
            _ = try File(path, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
        } catch { throw CacheError(error) }
        let database = try Database(path)
        // No shared memory: the process alone has the folder.
        try database.run("PRAGMA locking_mode = EXCLUSIVE")
        try database.run("PRAGMA journal_mode = WAL")
        try database.run("PRAGMA synchronous = NORMAL")
        try check(database)
        var version: Int64 = 0
        try database.run("PRAGMA user_version") { row in
            if case .integer(let found)? = row.first { version = found }
        }
        switch version {
        case schemaVersion:
            // Of a table without these columns this fails.
            try database.run(
                "SELECT serial, key, repository, size, checksum, used FROM answer LIMIT 0")
        case 0: try create(database)
        default: throw damage("its version is \(version), not \(schemaVersion)")
        }
        return database
    }

    private static func check(_ database: Database) throws(CacheError) {
        var isSound = false
        try database.run("SELECT count(*) FROM pragma_quick_check(1) WHERE quick_check = 'ok'") {
            isSound = $0 == [.integer(1)]
        }
        if !isSound { throw damage("it is damaged") }
    }

    private static func create(_ database: Database) throws(CacheError) {
        try database.transaction { () throws(CacheError) in
            try database.run(
                """
                CREATE TABLE answer (
                    serial INTEGER PRIMARY KEY, key BLOB NOT NULL, repository BLOB NOT NULL,
                    size INTEGER NOT NULL, checksum BLOB NOT NULL, used INTEGER NOT NULL)
                """)
            try database.run("CREATE INDEX answer_repository ON answer (repository)")
            try database.run("PRAGMA user_version = 1")
        }
    }

    private static func damage(_ what: String) -> CacheError {
        CacheError(
            .database, "the cache's database cannot be used: \(what)",
            cause: DatabaseFailure(result: 11))
    }

    private static func remove(_ path: ByteString) throws(CacheError) {
        do throws(StoreError) {
            for suffix: ByteString in ["-wal", "-shm", "-journal", ""] {
                try FileSystem.remove(path + suffix)
            }
        } catch { throw CacheError(error) }
    }

    // MARK: Rows

    /// All rows, of oldest use first. Those that make no sense are deleted.
    func load() throws(CacheError) -> [Record] {
        try locked { database throws(CacheError) in
            var records: [Record] = []
            var senseless: [Database.Value] = []
            var repositories: Set<ByteString> = []
            try database.run(
                "SELECT serial, key, repository, size, checksum, used FROM answer ORDER BY used"
            ) { row in
                if let record = Self.record(row, &repositories) {
                    records.append(record)
                } else {
                    senseless += row.prefix(1)
                }
            }
            for serial in senseless { try database.run(Self.deletion, [serial]) }
            return records
        }
    }

    private static func record(
        _ row: [Database.Value], _ repositories: inout Set<ByteString>
    ) -> Record? {
        guard row.count == 6, case .integer(let serial) = row[0], case .bytes(let digest) = row[1],
            case .bytes(let repository) = row[2], case .integer(let size) = row[3],
            case .bytes(let checksum) = row[4], case .integer(let used) = row[5],
            0 ..< Self.serialEnd ~= serial, size >= 0, used >= 0,
            checksum.count == ObjectFormat.sha1.byteCount,
            let key = AnswerKey(
                digest: digest, repository: repositories.insert(repository).memberAfterInsert)
        else { return nil }
        return Record(
            serial: UInt64(serial), key: key, size: UInt64(size), checksum: checksum,
            used: UInt64(used))
    }

    /// Adds a row if `isWanted` still says so when no other is at the database: what removes rows
    /// comes before that, or finds this one. Says whether it did.
    func insert(
        _ record: Record, touched: [UInt64: UInt64], if isWanted: () -> Bool
    ) throws(CacheError) -> Bool {
        try locked { database throws(CacheError) in
            guard isWanted() else { return false }
            try database.transaction { () throws(CacheError) in
                try database.run(
                    """
                    INSERT INTO answer (serial, key, repository, size, checksum, used)
                    VALUES (?, ?, ?, ?, ?, ?)
                    """,
                    [
                        .number(record.serial), .bytes(record.key.digest),
                        .bytes(record.key.repository), .number(record.size),
                        .bytes(record.checksum), .number(record.used),
                    ])
                try Self.touch(touched, database)
            }
            return true
        }
    }

    /// Writes last uses.
    func touch(_ touched: [UInt64: UInt64]) throws(CacheError) {
        if touched.isEmpty { return }
        try locked { database throws(CacheError) in
            try database.transaction { () throws(CacheError) in
                try Self.touch(touched, database)
            }
        }
    }

    private static func touch(
        _ touched: [UInt64: UInt64], _ database: Database
    ) throws(CacheError) {
        for (serial, used) in touched {
            try database.run(
                "UPDATE answer SET used = ? WHERE serial = ?", [.number(used), .number(serial)])
        }
    }

    func delete(_ serials: [UInt64]) throws(CacheError) {
        if serials.isEmpty { return }
        try locked { database throws(CacheError) in
            try database.transaction { () throws(CacheError) in
                for serial in serials {
                    try database.run(Self.deletion, [.number(serial)])
                }
            }
        }
    }

    /// Deletes the rows of a repository, or all, and puts that on the disk.
    func purge(_ repository: ByteString?) throws(CacheError) {
        try locked { database throws(CacheError) in
            if let repository {
                try database.run("DELETE FROM answer WHERE repository = ?", [.bytes(repository)])
            } else {
                try database.run("DELETE FROM answer")
            }
            try database.run("PRAGMA wal_checkpoint(TRUNCATE)")
        }
    }

    private func locked<Result>(
        _ body: (Database) throws(CacheError) -> sending Result
    ) throws(CacheError) -> sending Result {
        try database.withLock { database throws(CacheError) in try body(database) }
    }
}

extension Database.Value {
    /// Serial numbers, sizes and times; none comes near 2^63.
    static func number(_ value: UInt64) -> Self { .integer(Int64(clamping: value)) }
}
