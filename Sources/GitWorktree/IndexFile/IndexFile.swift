public import GitCore
import GitStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

extension Index {
    /// Reads an index file; an empty index where there is none.
    public static func read(
        path: ByteString, format: ObjectFormat, rules: PathRules = PathRules()
    ) throws(WorktreeError) -> Index {
        try readWithTime(path, format, rules).index
    }

    /// Replaces an index file, under its lock.
    public func write(to path: ByteString) throws(WorktreeError) {
        try storing { () throws(StoreError) in
            var lock = try LockFile(path)
            try lock.write(serialized())
            try lock.commit()
        }
    }

    /// The index, and the second in which its file was last written.
    fileprivate static func readWithTime(
        _ path: ByteString, _ format: ObjectFormat, _ rules: PathRules
    ) throws(WorktreeError) -> (index: Index, second: UInt32?) {
        let content: [UInt8]
        let second: UInt32
        do throws(StoreError) {
            let file = try File(path, O_RDONLY)
            content = try file.readToEnd(limit: WorktreeLimits.indexSize)
            second = IndexStat(try file.status()).mtimeSeconds
        } catch {
            if error.systemError == ENOENT { return (Index(format: format), nil) }
            throw WorktreeError(error)
        }
        do throws(ParseError) {
            return (try Index(parsing: content.span, format: format, rules: rules), second)
        } catch {
            throw WorktreeError("'\(path)'", error)
        }
    }
}

/// An index that is being changed: its lock is held from the reading to the writing, so that no change
/// of another program is lost. Letting go without ``commit()`` leaves the file as it was.
struct LockedIndex: ~Copyable {
    var index: Index
    /// The second in which the file was last written; nil where there is none.
    let second: UInt32?
    private var lock: LockFile

    init(path: ByteString, format: ObjectFormat, rules: PathRules) throws(WorktreeError) {
        let lock = try storing { () throws(StoreError) in try LockFile(path) }
        (index, second) = try Index.readWithTime(path, format, rules)
        self.lock = lock
    }

    mutating func commit() throws(WorktreeError) {
        do throws(StoreError) {
            try lock.write(index.serialized())
            try lock.commit()
        } catch {
            throw WorktreeError(error)
        }
    }
}
