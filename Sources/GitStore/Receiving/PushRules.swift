internal import GitCore

/// What others may do to the refs of a repository, as its configuration says (git-config, "receive.*").
public struct PushRules: Sendable {
    /// Whether a change may be made, and what to tell who asked for it.
    public struct Verdict: Sendable {
        /// In Git's words; nil where it may be made.
        public var refusal: String?
        /// Lines for the pusher, each with `error: ` or `warning: ` in front.
        public var messages: [String] = []
    }

    private enum Denial { case unset, ignore, warn, refuse, updateInstead }

    private let denyNonFastForwards: Bool
    private let denyDeletes: Bool
    private let denyCurrentBranch: Denial
    private let denyDeleteCurrent: Denial
    private let hidden: HiddenRefs
    /// Branches of which the files are in some work tree.
    private let checkedOut: Set<ByteString>
    /// What HEAD leads to.
    private let head: ByteString?
    private let repository: Repository

    /// - Throws: ``StoreError/Code/invalid`` for a value that makes no sense.
    public init(_ repository: Repository) throws(StoreError) {
        let config = repository.config
        self.repository = repository
        denyNonFastForwards = try config.bool("receive.denynonfastforwards") ?? false
        denyDeletes = try config.bool("receive.denydeletes") ?? false
        denyCurrentBranch = try Self.denial(config, "receive.denycurrentbranch")
        denyDeleteCurrent = try Self.denial(config, "receive.denydeletecurrent")
        hidden = try HiddenRefs(config, section: "receive")
        head = (try? repository.refs.follow(.head))?.name.bytes
        checkedOut = try repository.checkedOutBranches()
    }

    private static func denial(_ config: Config, _ key: String) throws(StoreError) -> Denial {
        guard let text = config.string(key) else { return .unset }
        switch ByteString(text.bytes.map(ConfigKey.lowercased)) {
        case "ignore": return .ignore
        case "warn": return .warn
        case "refuse": return .refuse
        case "updateinstead": return .updateInstead
        default: return try config.bool(key) == true ? .refuse : .ignore
        }
    }

    /// Whether a ref is kept from others' eyes and hands: to be asked before any hook runs.
    public func refusalOfHidden(_ change: RefChange) -> String? {
        guard hidden.contains(change.name) else { return nil }
        return change.new.isZero ? "deny deleting a hidden ref" : "deny updating a hidden ref"
    }

    /// Whether a change may be made: to be asked once its objects are in the repository, before the
    /// update hook.
    ///
    /// - Parameter database: where the objects are, if not all are in the repository.
    public func verdict(
        on change: RefChange, in database: ObjectDatabase? = nil
    ) throws(StoreError) -> Verdict {
        var verdict = Verdict()
        let objects = database ?? repository.objects
        let name = change.name.printable
        guard Self.mayBeNamed(change) else {
            verdict.refuse(
                "funny refname", "refusing to create funny ref '\(name)' remotely")
            return verdict
        }
        judgeCurrentBranch(change, &verdict)
        if verdict.refusal != nil { return verdict }
        if !change.new.isZero, try !objects.contains(change.new) {
            verdict.refusal = "bad pack"
            return verdict
        }
        if !change.old.isZero, change.new.isZero { judgeDeletion(change, &verdict) }
        if verdict.refusal != nil { return verdict }
        try judgeDirection(change, objects, &verdict)
        return verdict
    }

    /// Below `refs/` there is at least one folder, but for what has come to be elsewhere and is to go.
    private static func mayBeNamed(_ change: RefChange) -> Bool {
        guard change.name.hasPrefix("refs/"), RefName(change.name) != nil else { return false }
        let below = change.name.dropFirst(5)
        return RefName.isWellFormed(below) && (change.new.isZero || below.bytes.contains(0x2f))
    }

    private func judgeCurrentBranch(_ change: RefChange, _ verdict: inout Verdict) {
        guard checkedOut.contains(change.name) else { return }
        switch denyCurrentBranch {
        case .ignore: break
        case .warn: verdict.messages.append("warning: updating the current branch")
        case .refuse, .unset:
            verdict.refuse(
                "branch is currently checked out",
                "refusing to update checked out branch: \(change.name.printable)")
        case .updateInstead:
            verdict.refuse(
                "denyCurrentBranch = updateInstead is not supported",
                "refusing to update checked out branch: \(change.name.printable)")
        }
    }

    private func judgeDeletion(_ change: RefChange, _ verdict: inout Verdict) {
        let name = change.name.printable
        if denyDeletes, change.name.hasPrefix("refs/heads/") {
            return verdict.refuse("deletion prohibited", "denying ref deletion for \(name)")
        }
        guard change.name == head || checkedOut.contains(change.name) else { return }
        switch denyDeleteCurrent {
        case .ignore: break
        case .warn: verdict.messages.append("warning: deleting the current branch")
        case .refuse, .unset, .updateInstead:
            verdict.refuse(
                "deletion of the current branch prohibited",
                "refusing to delete the current branch: \(name)")
        }
    }

    private func judgeDirection(
        _ change: RefChange, _ objects: ObjectDatabase, _ verdict: inout Verdict
    ) throws(StoreError) {
        guard denyNonFastForwards, !change.old.isZero, !change.new.isZero,
            change.name.hasPrefix("refs/heads/")
        else { return }
        do throws(StoreError) {
            guard try objects.header(change.old).kind == .commit,
                try objects.header(change.new).kind == .commit
            else {
                return verdict.refuse("bad ref", "bad sha1 objects for \(change.name.printable)")
            }
            if try repository.isAncestor(change.old, of: change.new, in: objects) { return }
        } catch {
            guard error.code == .notFound || error.code == .corrupt else { throw error }
            return verdict.refuse("bad ref", "bad sha1 objects for \(change.name.printable)")
        }
        verdict.refuse(
            "non-fast-forward",
            "denying non-fast-forward \(change.name.printable) (you should pull first)")
    }
}

extension PushRules.Verdict {
    fileprivate mutating func refuse(_ reason: String, _ message: String) {
        refusal = reason
        messages.append("error: " + message)
    }
}

extension Repository {
    /// The branches that HEAD of some work tree of this repository is on.
    func checkedOutBranches() throws(StoreError) -> Set<ByteString> {
        var branches: Set<ByteString> = []
        if !isBare, case .symbolic(let name)? = try refs.read(.head) { branches.insert(name.bytes) }
        let linked = commonDirectory / "worktrees"
        guard FileSystem.isDirectory(linked) else { return branches }
        for name in try FileSystem.list(linked) {
            if case .symbolic(let branch)? = try? LooseRef.read(linked / name / "HEAD", format) {
                branches.insert(branch.bytes)
            }
        }
        return branches
    }
}
