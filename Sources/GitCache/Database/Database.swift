import CSQLite
import GitCore
import GitStore

/// One connection to an SQLite database that no other process has open. One thread at a time may use it.
final class Database {
    // SAFETY: opened in init, closed only in deinit, after the statements, which are used by this class
    // alone.
    private let connection: OpaquePointer
    private var statements: [String: OpaquePointer] = [:]

    /// How long to wait for another process to let go of the file, in milliseconds.
    private static let patience: Int32 = 5_000

    /// Opens the database in the file, which is there, and may be empty.
    init(_ path: ByteString) throws(CacheError) {
        var connection: OpaquePointer?
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW
        let result = path.withCString { sqlite3_open_v2($0, &connection, flags, nil) }
        guard let connection else {
            throw CacheError(.database, "could not open '\(path)': no memory")
        }
        self.connection = connection
        guard result == SQLITE_OK else { throw error("open '\(path)'", result) }
        sqlite3_busy_timeout(connection, Self.patience)
    }

    deinit {
        for statement in statements.values { sqlite3_finalize(statement) }
        sqlite3_close_v2(connection)
    }

    enum Value: Equatable {
        case integer(Int64)
        case bytes(ByteString)
        /// NULL, a number with a fraction, or text: nothing that was ever written.
        case other
    }

    /// Runs one statement with its parameters, and takes each row that comes of it.
    ///
    /// `sql` is one of a fixed number of texts: each is prepared once.
    func run(
        _ sql: StaticString, _ parameters: [Value] = [], row: ([Value]) -> Void = { _ in }
    ) throws(CacheError) {
        let statement = try prepared(sql)
        defer {
            sqlite3_reset(statement)
            sqlite3_clear_bindings(statement)
        }
        for (index, value) in zip(1..., parameters) { try bind(value, Int32(index), statement) }
        while true {
            let result = sqlite3_step(statement)
            switch result {
            case SQLITE_DONE: return
            case SQLITE_ROW:
                row((0 ..< sqlite3_column_count(statement)).map { column($0, statement) })
            default: throw error("run '\(sql)'", result)
            }
        }
    }

    /// Does all that `body` does, or nothing.
    func transaction(_ body: () throws(CacheError) -> Void) throws(CacheError) {
        try run("BEGIN IMMEDIATE")
        do throws(CacheError) {
            try body()
            try run("COMMIT")
        } catch {
            // Some failures end the transaction by themselves.
            if sqlite3_get_autocommit(connection) == 0 { try? run("ROLLBACK") }
            throw error
        }
    }

    private func prepared(_ sql: StaticString) throws(CacheError) -> OpaquePointer {
        let text = sql.description
        if let statement = statements[text] { return statement }
        var statement: OpaquePointer?
        let result = sqlite3_prepare_v3(
            connection, text, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
        guard result == SQLITE_OK, let statement else { throw error("prepare '\(text)'", result) }
        statements[text] = statement
        return statement
    }

    private func bind(
        _ value: Value, _ index: Int32, _ statement: OpaquePointer
    ) throws(CacheError) {
        let result =
            switch value {
            case .integer(let integer): sqlite3_bind_int64(statement, index, integer)
            case .bytes(let bytes):
                bytes.bytes.withUnsafeBytes {
                    apus_sqlite_bind_bytes(
                        statement, index, $0.baseAddress, Int32(clamping: $0.count))
                }
            case .other: sqlite3_bind_null(statement, index)
            }
        guard result == SQLITE_OK else { throw error("bind a value", result) }
    }

    private func column(_ index: Int32, _ statement: OpaquePointer) -> Value {
        switch sqlite3_column_type(statement, index) {
        case SQLITE_INTEGER: return .integer(sqlite3_column_int64(statement, index))
        case SQLITE_BLOB:
            let bytes = UnsafeRawBufferPointer(
                start: sqlite3_column_blob(statement, index),
                count: Int(sqlite3_column_bytes(statement, index)))
            return .bytes(ByteString(bytes))
        default: return .other
        }
    }

    private func error(_ what: String, _ result: Int32) -> CacheError {
        CacheError(
            .database,
            "the cache's database: could not \(what): \(String(cString: sqlite3_errmsg(connection)))",
            cause: DatabaseFailure(result: result & 0xff))
    }
}

/// What SQLite said.
struct DatabaseFailure: Error {
    /// SQLITE_CORRUPT and the like.
    let result: Int32

    /// Whether the file is no database, or a damaged one: another try will not help.
    var isDamage: Bool {
        [SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_ERROR, SQLITE_SCHEMA].contains(result)
    }
}
