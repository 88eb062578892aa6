import GitCore

/// One file of `answers/` and what is known of it, from its first byte until nobody has it open.
///
/// The file's name is its serial number, which no other ever gets: to remove one cannot hit another.
final class AnswerFile: @unchecked Sendable {
    // SAFETY: all that varies is touched only under the lock of the AnswerCatalog that made it.
    let serial: UInt64
    let key: AnswerKey
    /// Bytes that count against the budget: those written, or about to be.
    var size: UInt64 = 0
    /// The SHA-1 of the content, of a whole answer.
    var checksum = ByteString()
    /// How many write or read it. While it is in use it is not evicted.
    var uses = 0
    /// Whether look-ups find it: it is whole and was not removed.
    var isListed = false
    var trust = Trust.checked
    /// Milliseconds since 1970, in the catalog's own count, in which no two uses have the same.
    var lastUse: UInt64 = 0

    /// Whether the content is known to be what was written.
    enum Trust {
        /// Found at the start, and not looked at yet.
        case unchecked
        /// Somebody reads it through; what comes of that will be known here.
        case checking(Verdict)
        case checked
    }

    init(_ serial: UInt64, _ key: AnswerKey) {
        self.serial = serial
        self.key = key
    }
}

/// Keeps an answer's file from being evicted, for as long as this object lives.
final class AnswerUse: Sendable {
    let file: AnswerFile
    let catalog: AnswerCatalog

    /// The catalog has counted it already.
    init(_ file: AnswerFile, _ catalog: AnswerCatalog) {
        self.file = file
        self.catalog = catalog
    }

    deinit { catalog.release(file) }
}
