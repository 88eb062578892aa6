internal import GitCore

extension ObjectDatabase {
    /// Holds the multi-pack-index of this store against its packs; tells of each fault in a line.
    public func checkMultiPackIndex(reporting report: (String) -> Void) throws(StoreError) {
        let path = directory / "pack/multi-pack-index"
        guard FileSystem.exists(path) else { return }
        let index: MultiPackIndex
        do throws(StoreError) {
            index = try MultiPackIndex(path, format)
            try index.verifyChecksum()
        } catch  where error.code == .corrupt {
            return report("multi-pack-index file exists, but failed to parse: \(error.message)")
        }
        let packs = loadedPacks(index, report)
        if index.oids.count == 0 { return report("the midx contains no oid") }
        if let row = index.oids.firstFault() {
            return report("oid lookup out of order: oid[\(row)] = \(index.oids.oid(row: row))")
        }
        for row in 0 ..< index.oids.count {
            let oid = index.oids.oid(row: row)
            guard let place = try? index.place(row: row), let pack = packs[place.pack],
                let own = pack.row(of: oid)
            else {
                report("failed to load pack entry for oid[\(row)] = \(oid)")
                continue
            }
            let offset = try pack.offset(row: own)
            if offset != place.offset {
                report(
                    "incorrect object offset for oid[\(row)] = \(oid): "
                        + String(place.offset, radix: 16) + " != " + String(offset, radix: 16))
            }
        }
        if try index.rowsInBitOrder() != nil {
            _ = try index.bitmaps(
                index.packNames.map { Pack(directory / "pack" / $0, format, OpenPacks()) })
        }
    }

    /// The packs' indexes; nil for one that cannot be used.
    private func loadedPacks(
        _ index: MultiPackIndex, _ report: (String) -> Void
    ) -> [PackIndexFile?] {
        var packs: [PackIndexFile?] = []
        for (number, name) in index.packNames.enumerated() {
            let pack = Pack(directory / "pack" / name, format, OpenPacks())
            if (try? pack.end()) != nil, let index = try? pack.index() {
                packs.append(index)
            } else {
                report("failed to load pack in position \(number)")
                packs.append(nil)
            }
        }
        return packs
    }
}
