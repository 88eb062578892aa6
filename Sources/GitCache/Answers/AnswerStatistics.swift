/// What the kept answers amount to, and what came of look-ups since the store was opened.
package struct AnswerStatistics: Sendable, Equatable {
    /// Whole answers on disk.
    package var answers = 0
    /// Answers that somebody is writing, and that others can follow.
    package var growing = 0
    /// Bytes on disk: of whole answers, growing ones, and removed ones that are still being read.
    package var bytes: UInt64 = 0
    /// Look-ups that gave a whole answer.
    package var hits: UInt64 = 0
    /// Look-ups that gave one to follow.
    package var follows: UInt64 = 0
    /// Look-ups that made their caller the writer.
    package var misses: UInt64 = 0
    /// Answers removed to make room.
    package var evictions: UInt64 = 0
    /// Answers that were not kept because of their size, a full disk or a failed write, and kept ones
    /// that were found damaged.
    package var failures: UInt64 = 0
}
