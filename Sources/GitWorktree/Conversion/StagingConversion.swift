import GitCore

extension Conversion {
    /// What becomes of a file's content on its way into the repository.
    struct Staged {
        /// nil where it is the file's own.
        var content: [UInt8]?
        /// What the next checkout would change of the file (`core.safecrlf`).
        var loss: LineEndLoss?
    }

    enum LineEndLoss {
        case crlfBecomesLF
        case lfBecomesCRLF
    }

    /// - Parameter indexedContent: the blob that the index has for the path now; called only where it
    ///   matters.
    func staged(
        _ content: [UInt8], indexedContent: () throws(WorktreeError) -> [UInt8]?
    ) throws(WorktreeError) -> Staged {
        let stats = lineEnds == .untouched ? TextStats() : TextStats(content)
        let removesCR = try removesCR(stats, isEmpty: content.isEmpty, indexedContent)
        var staged = Staged(loss: loss(stats, removesCR: removesCR))
        if removesCR { staged.content = removingCR(content) }
        if expandsIdent, let collapsed = Self.collapsingIdent(staged.content ?? content) {
            staged.content = collapsed
        }
        return staged
    }

    private func removesCR(
        _ stats: TextStats, isEmpty: Bool, _ indexedContent: () throws(WorktreeError) -> [UInt8]?
    ) throws(WorktreeError) -> Bool {
        guard stats.crlf > 0 else { return false }
        switch lineEnds {
        case .untouched: return false
        case .text: return true
        case .auto:
            if stats.looksBinary { return false }
            // What is in the repository with CRLF already stays so.
            guard let indexed = try indexedContent() else { return true }
            let indexedStats = TextStats(indexed)
            return indexedStats.looksBinary || indexedStats.crlf == 0
        }
    }

    /// What would change if the file were checked out again after this.
    private func loss(_ stats: TextStats, removesCR: Bool) -> LineEndLoss? {
        switch lineEnds {
        case .untouched: return nil
        case .auto where stats.looksBinary: return nil
        default: break
        }
        var after = removesCR ? stats.withLF : stats
        if after.loneLF > 0, addsCR(after) { after = after.withCRLF }
        if stats.crlf > 0, after.crlf == 0 { return .crlfBecomesLF }
        if stats.loneLF > 0, after.loneLF == 0 { return .lfBecomesCRLF }
        return nil
    }

    /// Without the CR of every CRLF.
    private func removingCR(_ content: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(content.count)
        for (index, byte) in content.enumerated() {
            if byte == 0x0d, index + 1 < content.count, content[index + 1] == 0x0a { continue }
            out.append(byte)
        }
        return out
    }
}
