import GitStore

/// An answer that is complete on disk, open for reading. It is not evicted while this object lives; if it
/// is purged meanwhile, what is open here can still be read.
package final class WholeAnswer: Sendable {
    private let content: OpenFile
    private let use: AnswerUse
    /// Bytes in the file.
    package let size: UInt64

    init(_ content: OpenFile, _ use: AnswerUse, size: UInt64) {
        self.content = content
        self.use = use
        self.size = size
    }

    /// The file, for sendfile(2) and pread(2), which leave its position alone: others may use the same.
    /// It is closed some time after the last reference to this object is gone; who hands it to somebody
    /// who closes it duplicates it.
    package var descriptor: Int32 { content.file.descriptor }
}
