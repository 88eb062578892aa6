import GitClient
import GitCore
import GitServer
import GitStore

/// Does what is asked for by `apus cache status`, `purge` and `verify`, in the process that has the store's
/// lock: a cache that runs, or the command itself.
struct Caretaker: Sendable {
    /// What there is of a cache that runs.
    struct Running: Sendable {
        let core: CacheCore
        let hosts: UpstreamHosts
        /// Breaks off the requests that it says so of.
        let breakOff: @Sendable (_ isMeant: (RequestHead) -> Bool) -> Void
    }

    let mirrors: MirrorFolder
    let answers: AnswerStore
    /// nil for none.
    let running: Running?
    private let isVerifying = Monitor(false)

    init(mirrors: MirrorFolder, answers: AnswerStore, running: Running?) {
        self.mirrors = mirrors
        self.answers = answers
        self.running = running
    }

    // MARK: Purging

    /// Forgets a repository. When it returns, none of the objects that were kept of it is given to anybody, not
    /// even after a loss of power: whoever asks next has them fetched anew. What is being fetched ends.
    ///
    /// - Throws: ``CacheError/Code/unknown`` where nothing is kept of it.
    func purge(_ text: ByteString, _ tell: (String) -> Bool) throws(CacheError) {
        let known = answers.catalog.repositories.union(mirrors.names)
        let meant = try RepositoryMeaning(
            text, hosts: Array((running?.hosts.current ?? [:]).values)
        ).among(known)
        for name in meant {
            // Whoever comes from here on has a new mirror; nothing that is made from the old one is kept.
            let place = try mirrors.take(name)
            running?.core.forgetGrants(name)
            let count = try answers.purge(name)
            // Requests that are older may have found something before, and have not sent it yet.
            running?.breakOff { $0.isFor(name) }
            try letGo(name, place)
            // One that was asked for, by what upstream had shown, while the old one went.
            try letGo(name, try mirrors.take(name))
            let mirror = place == nil ? "no mirror" : "its mirror"
            _ = tell("purged \(name): \(mirror), \(count) answers")
        }
    }

    private func letGo(
        _ name: ByteString, _ place: MirrorFolder.Place?
    ) throws(CacheError) {
        running?.core.forget(name, place?.mirror)
        guard let place else { return }
        place.mirror?.endFetching()
        try mirrors.discard(place)
    }

    // MARK: Verifying

    /// Holds all that is kept against what was written. What is damaged goes; it is made or fetched anew.
    ///
    /// - Parameter tell: says whether to go on.
    /// - Throws: ``CacheError/Code/damaged`` where anything was; ``CacheError/Code/cancelled``;
    ///   ``CacheError/Code/refused`` where it is being done already.
    func verify(_ tell: (String) -> Bool) throws(CacheError) {
        let isFree = isVerifying.change { isVerifying in
            defer { isVerifying = true }
            return !isVerifying
        }
        guard isFree else { throw CacheError(.refused, "what is kept is being verified already") }
        defer { isVerifying.change { $0 = false } }
        var goesOn = true
        var faults = 0
        let answerCount = answers.check(isStopped: { !goesOn }) { repository in
            faults += 1
            goesOn = tell("an answer of \(repository) is damaged: dropped")
        }
        var mirrorCount = 0
        for name in mirrors.names.sorted() where goesOn {
            mirrorCount += 1
            defer {
                for mirror in mirrors.closeIdle() { running?.core.engine.forget(mirror.repository) }
            }
            guard let fault = try fault(ofMirror: name) else { continue }
            faults += 1
            goesOn = tell("the mirror of \(name) is damaged: \(fault): it will be fetched anew")
        }
        guard goesOn, tell("verified \(answerCount) answers, \(mirrorCount) mirrors") else {
            throw CacheError(.cancelled, "stopped before all was verified")
        }
        if faults > 0 { throw CacheError(.damaged, "what was damaged is gone: \(faults) found") }
    }

    /// What is wrong with a mirror, which is removed then, with the answers that were made from it.
    private func fault(ofMirror name: ByteString) throws(CacheError) -> String? {
        var mirror: Mirror?
        var found: String?
        do throws(CacheError) {
            mirror = try mirrors.existing(name)
            guard let mirror else { return nil }
            found = MirrorCheck.fault(of: mirror.repository)
        } catch { found = error.message }
        guard let found, let place = try mirrors.take(name, if: mirror) else { return nil }
        try answers.purge(name)
        running?.core.forget(name, place.mirror)
        try mirrors.discard(place)
        return found
    }
}

extension CacheCore {
    /// Lets go of what is known of a repository whose mirror was removed.
    func forget(_ name: ByteString, _ mirror: Mirror?) {
        forgetGrants(name)
        if let mirror { engine.forget(mirror.repository) }
    }

    func forgetGrants(_ name: ByteString) {
        let isMeant: (ByteString) -> Bool = { identity in
            let place = RepositoryAddress.place(identity: identity)
            // A mirror has both.
            return place == name || place == name + ".git"
        }
        grants.removeAll(where: isMeant)
        lfsGrants.removeAll(where: isMeant)
    }
}

extension RequestHead {
    /// Whether it is for a repository, or something below it, as the host has it now or had it before.
    fileprivate func isFor(_ name: ByteString) -> Bool {
        let path = target.path.reduce("", /).lowercased + "/"
        let name = name.lowercased
        return path.hasPrefix(name + "/") || path.hasPrefix(name + ".git/")
    }
}
