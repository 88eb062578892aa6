import GitCore
import GitStore

/// What is done when the store is opened: answers with file and row, of one size, are taken in; all else
/// that an earlier process left is removed.
extension AnswerStore {
    /// Gives those whose files have another size than was written.
    func recover() throws(CacheError) -> [AnswerKey] {
        let found: (whole: [UInt64: UInt64], new: [UInt64])
        do throws(StoreError) { found = try folder.list() } catch { throw CacheError(error) }
        let loaded = try records.load()
        let files =
            loaded
            .filter { found.whole[$0.serial] == $0.size }
            .map(AnswerFile.init)
        let good = Set(files.map(\.serial))
        try records.delete(loaded.map(\.serial).filter { !good.contains($0) })
        do throws(StoreError) {
            for serial in found.new { try folder.removeNew(serial) }
            for serial in found.whole.keys where !good.contains(serial) {
                try folder.remove(serial)
            }
        } catch { throw CacheError(error) }
        discard(catalog.load(files, lastSerial: good.max() ?? 0))
        return loaded.filter { record in
            found.whole[record.serial].map { $0 != record.size } ?? false
        }.map(\.key)
    }
}

extension AnswerFile {
    /// An answer that an earlier process kept.
    fileprivate convenience init(_ record: AnswerRecords.Record) {
        self.init(record.serial, record.key)
        size = record.size
        checksum = record.checksum
        trust = .unchecked
        lastUse = record.used
    }
}
