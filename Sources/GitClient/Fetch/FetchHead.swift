import GitCore
import GitStore

// FETCH_HEAD (git-fetch), in the git directory: a line for each ref that was fetched by name, those to be
// merged first:
//
//     <oid> TAB [not-for-merge] TAB [<kind> SP]'<name>' of <url> LF
//     <oid> TAB [not-for-merge] TAB <url> LF                           HEAD

/// Writes FETCH_HEAD.
struct FetchHead {
    private let path: ByteString
    /// The URL as it is shown, without what `git fetch` leaves out at its end.
    private let url: ByteString

    init(_ repository: Repository, url: ByteString) {
        path = repository.gitDirectory / "FETCH_HEAD"
        self.url = url
    }

    private static let limit = 1 << 28

    /// Makes it empty.
    func truncate() throws(StoreError) { try replace([]) }

    func append(_ refs: [FetchedRef]) throws(StoreError) {
        let old = FileSystem.exists(path) ? try FileSystem.read(path, limit: Self.limit) : []
        var bytes = old
        for merging in [FetchedRef.Merging.merge, .notForMerge] {
            for ref in refs where ref.merging == merging { bytes += line(ref).bytes }
        }
        try replace(bytes)
    }

    private func line(_ ref: FetchedRef) -> ByteString {
        var note: ByteString = ""
        if ref.source != "HEAD" {
            let kind = ref.kindName
            let start: ByteString = kind.isEmpty ? "" : ByteString(kind + " ")
            note = start + "'" + ref.shownSource + "' of "
        }
        let mark: ByteString = ref.merging == .merge ? "" : "not-for-merge"
        return ByteString(ref.oid.hexBytes) + "\t" + mark + "\t" + note + url + "\n"
    }

    private func replace(_ bytes: [UInt8]) throws(StoreError) {
        var lock = try LockFile(path)
        try lock.write(bytes)
        try lock.finish(isSynced: false)
        try lock.commit()
    }
}
