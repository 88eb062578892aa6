import GitCore
import GitStore

/// Every kept answer read through and held against its checksum, whether that was done before or not.
extension AnswerStore {
    /// Drops what is damaged.
    ///
    /// - Parameters:
    ///   - isStopped: asked before each.
    ///   - tell: is given the repository of each damaged one, those included that were dropped when the store
    ///     was opened.
    /// - Returns: how many were looked at.
    func check(isStopped: () -> Bool, tell: (ByteString) -> Void) -> Int {
        let found = damaged.withLock { damaged in
            defer { damaged = [] }
            return damaged
        }
        for key in found { tell(key.repository) }
        var count = found.count
        for file in catalog.files.sorted(by: { $0.serial < $1.serial }) {
            if isStopped() { break }
            guard let use = catalog.hold(file) else { continue }
            count += 1
            switch inspect(use) {
            case true: catalog.endCheck(file)
            case false:
                tell(file.key.repository)
                drop(file)
            case nil: break
            }
        }
        return count
    }

    /// Whether the file is what was written; nil where the system does not open it now, or it was removed.
    private func inspect(_ use: AnswerUse) -> Bool? {
        let expected = catalog.expectation(use.file)
        do throws(StoreError) {
            let content = OpenFile(try folder.open(use.file.serial))
            guard try content.file.size() == expected.size else { return false }
            return Self.checksum(content) == expected.checksum
        } catch {
            guard error.code == .notFound else { return nil }
            // Not if it was removed meanwhile, as it may be: then nobody finds it.
            return catalog.files.contains { $0 === use.file } ? false : nil
        }
    }
}
