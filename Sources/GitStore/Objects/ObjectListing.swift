public import GitCore

extension ObjectDatabase {
    /// Every object of this store and of those that it borrows from, once each, in the order of the
    /// ids.
    public func allObjectIDs() throws(StoreError) -> [ObjectID] {
        var oids: [ObjectID] = []
        for table in packs.listing.tables {
            oids.reserveCapacity(oids.count + table.count)
            for row in 0 ..< table.count { oids.append(table.oid(row: row)) }
        }
        oids += try loose.oids()
        for alternate in alternates { oids += try alternate.allObjectIDs() }
        oids.sort()
        return oids.withoutRepeats()
    }

    /// The objects whose ids begin with these hex digits, at least two of them, in order.
    public func candidates(prefix hex: ByteString) throws(StoreError) -> [ObjectID] {
        guard (2 ... format.hexCount).contains(hex.count) else { return [] }
        let padding = [UInt8](repeating: 0x30, count: format.hexCount - hex.count)
        guard let first = ObjectID(hex: hex + ByteString(padding)), first.format == format else {
            return []
        }
        let lower = ByteString(Array(first.hexBytes.prefix(hex.count)))
        func matches(_ oid: ObjectID) -> Bool { oid.hexBytes.starts(with: lower.bytes) }
        var found = try loose.oids(firstByte: first.firstByte).filter(matches)
        for table in packs.listing.tables {
            var row = table.firstRow(notBefore: first)
            while row < table.count, matches(table.oid(row: row)) {
                found.append(table.oid(row: row))
                row += 1
            }
        }
        for alternate in alternates { found += try alternate.candidates(prefix: hex) }
        return found.sorted().withoutRepeats()
    }
}

extension [ObjectID] {
    /// A sorted list with each element once.
    fileprivate func withoutRepeats() -> [ObjectID] {
        var result: [ObjectID] = []
        result.reserveCapacity(count)
        for oid in self where oid != result.last { result.append(oid) }
        return result
    }
}
