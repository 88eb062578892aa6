import GitCore

/// The bytes of a packed-refs file.
enum PackedRefsWriter {
    private static let header = Array("# pack-refs with: peeled fully-peeled sorted \n".utf8)

    /// The file that Git itself would write of these refs, in any order.
    ///
    /// - Throws: ``StoreError/Code/conflict`` where two have one name, or one's name is a directory
    ///   of the other's.
    static func encode(_ refs: [PackedRef]) throws(StoreError) -> [UInt8] {
        let sorted = refs.sorted { $0.name < $1.name }
        try RefDirectories.refuseConflicts(amongSorted: sorted.map(\.name))
        var out = header
        out.reserveCapacity(header.count + sorted.count * 100)
        for ref in sorted {
            out += ref.oid.hexBytes
            out.append(0x20)
            out += ref.name.bytes.bytes
            out.append(0x0a)
            if let peeled = ref.peeled {
                out.append(0x5e)
                out += peeled.hexBytes
                out.append(0x0a)
            }
        }
        return out
    }
}
