import GitCore
import GitStore

/// How a kept answer is opened, and found to be what was written.
extension AnswerStore {
    enum Opening {
        case opened(WholeAnswer)
        /// It is gone, or not what was written.
        case unusable
        /// It may be there, but the system does not open it now.
        case unopened
    }

    func open(_ use: AnswerUse) -> Opening {
        let expected = catalog.expectation(use.file)
        do throws(StoreError) {
            let content = OpenFile(try folder.open(use.file.serial))
            guard try content.file.size() == expected.size,
                isSound(use.file, content, expected.checksum)
            else { return .unusable }
            return .opened(WholeAnswer(content, use, size: expected.size))
        } catch { return error.code == .notFound ? .unusable : .unopened }
    }

    /// Whether the content is what was written: read through at the first use after the store was opened,
    /// by one caller, for whom the others wait.
    private func isSound(_ file: AnswerFile, _ content: OpenFile, _ checksum: ByteString) -> Bool {
        let verdict = Verdict()
        switch catalog.beginCheck(file, verdict) {
        case .checked: return true
        case .checking(let others): return others.wait()
        case .unchecked:
            let isSound = Self.checksum(content) == checksum
            if isSound { catalog.endCheck(file) }
            verdict.give(isSound)
            return isSound
        }
    }

    /// The SHA-1 of a file; nil where it cannot be read.
    static func checksum(_ content: OpenFile) -> ByteString? {
        var hasher = PlainHasher(.sha1)
        var position: UInt64 = 0
        var chunk = [UInt8](repeating: 0, count: 1 << 18)
        do throws(StoreError) {
            while true {
                var room = chunk.mutableSpan
                let count = try room.withUnsafeMutableBytes { buffer throws(StoreError) in
                    let count = try content.file.read(into: buffer, at: position)
                    hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                    return count
                }
                if count == 0 { return ByteString(hasher.finalize().rawBytes) }
                position += UInt64(count)
            }
        } catch { return nil }
    }

    func drop(_ file: AnswerFile) {
        guard catalog.remove(file) else { return }
        catalog.countFailure()
        discard([file])
    }
}
