internal import GitCore
import Synchronization

/// What is kept of a packed-refs file for listings to come: who lists again and again, as a server does,
/// need not read it each time.
enum PackedListing {
    /// Nobody has listed it.
    case none
    /// Somebody has, in part.
    case once
    /// More than what stands in the file would have to be looked at.
    case never
    case entries([RefEntry])

    /// Entries that are kept: some 150 bytes each.
    fileprivate static let capacity = 200_000
}

extension PackedRefs {
    /// The refs whose names begin with `prefix`, peeled, as they are kept; nil where they are not.
    func keptEntries(prefix: ByteString) throws(StoreError) -> ArraySlice<RefEntry>? {
        guard let all = try entries(isWhole: prefix == "refs/") else { return nil }
        let start = all.partitionPoint { $0.name.bytes < prefix }
        let count = all[start...].partitionPoint { $0.name.bytes.hasPrefix(prefix) } - start
        return all[start ..< start + count]
    }

    /// - Parameter isWhole: whether all of them are asked for.
    private func entries(isWhole: Bool) throws(StoreError) -> [RefEntry]? {
        let isAgain = listed.withLock { listed in
            if case .none = listed, !isWhole {
                listed = .once
                return false
            }
            return true
        }
        guard isAgain else { return nil }
        switch listed.withLock({ $0 }) {
        case .never: return nil
        case .entries(let entries): return entries
        case .none, .once:
            let entries = try read()
            listed.withLock { $0 = entries.map { .entries($0) } ?? .never }
            return entries
        }
    }

    /// nil where a name is none that a ref may have, the file does not tell what a tag peels to, or there
    /// are too many.
    private func read() throws(StoreError) -> [RefEntry]? {
        var entries: [RefEntry] = []
        var isGood = true
        try forEach(prefix: "refs/") { record throws(StoreError) in
            guard !record.oid.isZero, knowsPeeled(record), let name = RefName(name(record)),
                entries.count < PackedListing.capacity
            else {
                isGood = false
                return false
            }
            entries.append(
                RefEntry(
                    name: name, ref: .direct(record.oid), oid: record.oid, peeled: record.peeled))
            return true
        }
        return isGood ? entries : nil
    }
}
