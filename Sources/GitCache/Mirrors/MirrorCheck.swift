import GitCore
import GitStore

/// Whether a mirror is whole: its packs hold what their indexes say, all is there that its refs lead to, and
/// what was written to be quick is right.
enum MirrorCheck {
    /// So often a mirror is looked at that is repacked meanwhile: what is missing then may be elsewhere.
    private static let attempts = 3

    /// The first thing that is wrong; nil for nothing.
    static func fault(of repository: Repository) -> String? {
        var found: String?
        for _ in 0 ..< attempts {
            do throws(StoreError) {
                try repository.objects.refresh()
                let before = repository.objects.packPaths
                found = try look(at: repository)
                try repository.objects.refresh()
                if found == nil || repository.objects.packPaths == before { return found }
            } catch { found = error.message }
        }
        return found
    }

    private static func look(at repository: Repository) throws(StoreError) -> String? {
        var found: String?
        var check = RepositoryCheck()
        check.findsDangling = false
        check.usesReflogs = false
        // The refs before the objects: what comes meanwhile is not missed.
        check.heads = try repository.refs.list(prefix: Mirror.kept, peeling: false) { broken in
            found = found ?? broken.reason
        }.map(\.oid)
        _ = try check.run(on: repository) { finding in
            switch finding {
            case .unusable(let reason): found = found ?? reason
            case .brokenLink(let oid, _, let target, _):
                found = found ?? "\(oid) leads to \(target), which is missing"
            case .missing(let oid, _): found = found ?? "\(oid) is missing"
            // Upstream's business.
            case .fault, .dangling, .unreachable, .root, .tagged, .unbornHead, .noRefs: break
            }
        }
        try repository.objects.checkCommitGraph(isShallow: false) { found = found ?? "\($0)" }
        try repository.objects.checkMultiPackIndex { found = found ?? $0 }
        try repository.objects.checkBitmaps { found = found ?? $0 }
        return found
    }
}
