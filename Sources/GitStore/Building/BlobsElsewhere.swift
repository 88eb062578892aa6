internal import GitCore

extension PackSelection {
    /// Leaves out those chosen blobs that the receiver gets elsewhere.
    func leaveOutElsewhere() throws(StoreError) {
        let numbers = request.elsewhere.compactMap(objects.find).filter {
            objects.has(.chosen, $0) && objects.kind($0) == .blob
        }
        guard !numbers.isEmpty else { return }
        let left = Set(numbers)
        try keepOnly { !left.contains($0) }
        leftOut.formUnion(left.map(objects.oid))
    }

    /// Leaves out those that bits stand for, too.
    func leaveOutElsewhere(_ bits: inout Bitmap, _ index: BitmapIndex) throws(StoreError) {
        try leaveOutElsewhere()
        guard !request.elsewhere.isEmpty else { return }
        let blobs = try index.file.objects(.blob)
        for oid in request.elsewhere {
            guard let bit = index.bit(of: oid), bits.contains(bit), blobs.contains(bit) else {
                continue
            }
            bits.remove(bit)
            leftOut.insert(oid)
        }
    }
}
