/// The files of answers by when they were last used.
///
/// A use appends; what an earlier use of the same file left in the queue is passed over when its turn
/// comes. So a use costs the same however many files there are.
struct UseOrder {
    private struct Use {
        let file: AnswerFile
        let at: UInt64

        /// Whether it is the last of a file that is still there.
        var isLast: Bool { file.isListed && file.lastUse == at }
    }

    private var queue: [Use] = []
    private var head = 0

    /// How many files are in it, at most.
    var count: Int { queue.count - head }

    /// Notes the use at `file.lastUse`, later than all before. `live` is how many files are listed.
    mutating func append(_ file: AnswerFile, live: Int) {
        queue.append(Use(file: file, at: file.lastUse))
        guard queue.count > Self.slack + 2 * live else { return }
        queue = queue[head...].filter(\.isLast)
        head = 0
    }

    /// Takes out the file whose last use is longest ago.
    mutating func popOldest() -> AnswerFile? {
        while head < queue.count {
            let use = queue[head]
            head += 1
            if use.isLast { return use.file }
        }
        return nil
    }

    /// So many entries that are passed over are not worth a round.
    private static let slack = 1_024
}
