public import GitCore

extension ObjectDatabase {
    /// As few digits as Git takes for a name.
    public static var shortestAbbreviation: Int { 4 }

    /// The shortest beginning of `oid` in hex that no other object has, of at least `minimum` digits.
    public func abbreviated(_ oid: ObjectID, minimum: Int) throws(StoreError) -> ByteString {
        let hex = oid.hexBytes
        var count = min(max(minimum, Self.shortestAbbreviation), hex.count)
        for other in try candidates(prefix: ByteString(hex.prefix(count))) where other != oid {
            let shared = zip(hex, other.hexBytes).prefix { $0 == $1 }.count
            count = max(count, shared + 1)
        }
        return ByteString(hex.prefix(count))
    }

    /// How many digits are likely to be unique in a store of this size: what core.abbrev means when it
    /// is not set.
    public func usualAbbreviation() throws(StoreError) -> Int {
        let bits = Int.bitWidth - (try allObjectIDs().count).leadingZeroBitCount
        return max(7, (bits + 1) / 2)
    }
}

extension Repository {
    /// How many digits core.abbrev asks for (git-config): a number, `no` for all, else the usual.
    public func abbreviationLength() throws(StoreError) -> Int {
        switch config.string("core.abbrev") {
        case nil, "auto": return try objects.usualAbbreviation()
        case "no", "off", "false": return format.hexCount
        default:
            let digits = try config.int("core.abbrev") ?? 0
            guard (ObjectDatabase.shortestAbbreviation ... format.hexCount).contains(digits) else {
                throw StoreError(.invalid, "abbrev length out of range: \(digits)")
            }
            return digits
        }
    }
}
