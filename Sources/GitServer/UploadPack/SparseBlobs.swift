internal import GitCore
internal import GitStore

/// The blobs with sparse patterns that a client may name in a filter: those that it may have.
///
/// A name is an oid, or a shown ref or an oid with steps from it (`main:patterns`, `<oid>^:patterns`).
/// Whatever is not shown to the client is not there: the answer is the same.
struct SparseBlobs {
    let repository: Repository
    let refs: ShownRefs
    /// What may be asked for; nil for anything.
    let reachable: ReachableObjects?
    let cancellation: CancellationFlag

    /// - Throws: ``StoreError/Code/invalid``; ``StoreError/Code/cancelled``.
    func patterns(_ name: ByteString) throws(StoreError) -> SparsePatterns {
        let base = ByteString(name.bytes.prefix { $0 != 0x3a && $0 != 0x5e && $0 != 0x7e })
        guard let start = oid(base), try isShown(start) else {
            throw SparsePatterns.inaccessible(name)
        }
        let blob = try end(of: ByteString("\(start)".utf8) + name.dropFirst(base.count), name)
        guard try isShown(blob), try repository.objects.header(blob).kind == .blob else {
            throw SparsePatterns.inaccessible(name)
        }
        return try SparsePatterns(blob: blob, in: repository.objects)
    }

    private func oid(_ base: ByteString) -> ObjectID? {
        if let oid = ObjectID(hex: base), oid.format == repository.format { return oid }
        return refs.oid(meantBy: base == "@" ? "HEAD" : base)
    }

    private func isShown(_ oid: ObjectID) throws(StoreError) -> Bool {
        guard try repository.objects.contains(oid) else { return false }
        return try reachable?.firstUnreached([oid], cancellation) == nil
    }

    private func end(
        of revision: ByteString, _ name: ByteString
    ) throws(StoreError) -> ObjectID {
        do throws(StoreError) { return try repository.resolve(revision: revision).oid } catch
            where error.code == .notFound || error.code == .invalid || error.code == .unsupported
        {
            throw SparsePatterns.inaccessible(name)
        }
    }
}
