public import GitCore

extension Repository {
    /// The commits whose parents are not here: those that the file `shallow` lists, a line of hex for
    /// each (gitrepository-layout).
    ///
    /// - Throws: ``StoreError/Code/corrupt`` where a line is no id.
    public func shallowCommits() throws(StoreError) -> Set<ObjectID> {
        let path = commonDirectory / "shallow"
        guard FileSystem.exists(path) else { return [] }
        var commits: Set<ObjectID> = []
        for line in ByteString(try FileSystem.read(path, limit: Self.shallowLimit)).split(0x0a)
        where !line.isEmpty {
            guard let oid = ObjectID(hex: line), oid.format == format else {
                throw StoreError(.corrupt, "bad shallow line: \(line)")
            }
            commits.insert(oid)
        }
        return commits
    }

    /// Largest file, in bytes.
    private static let shallowLimit = 1 << 28
}
