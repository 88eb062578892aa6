internal import GitCore
internal import GitStore
internal import GitWire

/// One fetch: from what a client asks for to the last byte of its pack.
struct FetchRun {
    private let service: UploadPackService
    private var output: any ServiceOutput
    private let request: UploadPackRequest
    private let refs: ShownRefs
    private let ownShallow: Set<ObjectID>
    private var writer: FetchResponseWriter
    private var wants: [ObjectID]
    private var namedWants: [(name: RefName, oid: ObjectID)] = []
    private var filter = ObjectFilter()
    private var boundary: ShallowBoundary?
    private var opened: OpenPack?
    /// What the refs that are shown lead to.
    private let reachable: ReachableObjects
    private let negotiation: Negotiation
    private let cancellation = CancellationFlag()

    private var repository: Repository { service.repository }
    private var database: ObjectDatabase { repository.objects }

    init(
        _ service: UploadPackService, _ request: UploadPackRequest, _ refs: ShownRefs,
        hidesObjects: Bool
    ) throws {
        self.service = service
        output = service.output
        self.request = request
        self.refs = refs
        ownShallow = try service.repository.shallowCommits()
        reachable = service.served.reachable(from: refs.tips, shallow: ownShallow)
        negotiation = Negotiation(
            service.repository.objects, shallow: ownShallow,
            visible: hidesObjects ? reachable : nil, cancellation)
        writer = FetchResponseWriter(request)
        wants = request.wants
    }

    mutating func run() throws {
        service.output.onCancel { [cancellation] in cancellation.set() }
        defer {
            output.onCancel(nil)
            opened?.close()
        }
        do { try answer() } catch {
            guard let text = Refusal.text(error) else { throw error }
            writer.error(ByteString(text))
            try output.send(writer.takeBytes())
            throw error
        }
        if let check = opened?.check {
            service.keeper?.end()
            try check()
        }
    }

    private mutating func answer() throws {
        try addNamedWants()
        try checkWants()
        if let text = request.filter {
            try service.settings.filters.check(text)
            filter = try parse(filter: text)
        }
        if request.isV2 { try runV2() } else { try runV0() }
        try output.send(writer.takeBytes())
    }

    // MARK: What is wanted

    private mutating func addNamedWants() throws {
        for name in request.wantRefs {
            guard let oid = refs.oid(of: name) else { throw Refusal("unknown ref \(name)") }
            namedWants.append((name, oid))
            if !wants.contains(oid) { wants.append(oid) }
        }
    }

    /// Nothing but what shown refs lead to is given to anybody, unless the configuration says so. In no
    /// version it is the tips alone: over HTTP a ref may move on between what a client was shown and what
    /// it asks for.
    private func checkWants() throws {
        var tips = refs.tips
        // Who may ask for the tips of hidden refs may ask for what is behind them.
        if service.settings.allowsHiddenTips || service.settings.allowsReachable {
            let known = Set(tips)
            tips += refs.hidden.map(\.oid).filter { !known.contains($0) }
        }
        let known = Set(tips)
        let others = wants.filter { !known.contains($0) }
        guard !others.isEmpty else { return }
        var refused: ObjectID?
        if service.settings.allowsAny {
            for oid in others where try !database.contains(oid) { refused = oid }
        } else {
            refused = try service.served.reachable(from: tips, shallow: ownShallow)
                .firstUnreached(others, cancellation)
        }
        if let refused { throw Refusal("upload-pack: not our ref \(refused)") }
    }

    private func parse(filter text: ByteString) throws(StoreError) -> ObjectFilter {
        let blobs = SparseBlobs(
            repository: repository, refs: refs,
            reachable: service.settings.allowsAny ? nil : reachable, cancellation: cancellation)
        return try ObjectFilter(parsing: text, patterns: blobs.patterns)
    }

    // MARK: Version 2

    private mutating func runV2() throws {
        try negotiation.add(request.haves)
        // Without haves it is a clone, even where the client would wait: there is nothing to acknowledge.
        if !request.isDone, !request.haves.isEmpty {
            let isReady = try !request.waitForDone && negotiation.isReady(for: wants)
            writer.acknowledgments(negotiation.common, isReady: isReady)
            guard isReady else { return writer.end() }
        }
        try limitHistory()
        if let boundary {
            writer.shallowInfo(shallow: boundary.shallow.sorted(), unshallow: boundary.unshallow)
        }
        if !namedWants.isEmpty { try writer.wantedRefs(namedWants) }
        try sendPack()
    }

    // MARK: Version 0 and 1

    private mutating func runV0() throws {
        guard !wants.isEmpty else { return }
        try limitHistory()
        if let boundary, request.deepen != nil {
            writer.shallowInfo(shallow: boundary.shallow.sorted(), unshallow: boundary.unshallow)
        }
        guard !request.endsBeforeNegotiation else { return }
        var acknowledgments = AcknowledgmentsV0(request)
        // A closure over this structure would have every line copy all lines before it.
        let isReady = { [negotiation, wants] in try negotiation.isReady(for: wants) }
        for (number, round) in request.rounds.enumerated() {
            for oid in round {
                let isCommon = try negotiation.add([oid])
                try acknowledgments.have(
                    oid, isCommon: isCommon, isReady: isReady, to: &writer.lines)
            }
            if request.isDone, number == request.rounds.count - 1 { break }
            if try acknowledgments.flush(isReady: isReady, to: &writer.lines) {
                return try sendPack()
            }
        }
        guard request.isDone else { return }
        acknowledgments.done(to: &writer.lines)
        try sendPack()
    }

    private func ancestry() throws -> Ancestry {
        try Ancestry(database, shallow: [], cancellation: cancellation)
    }

    // MARK: Shallow history

    private mutating func limitHistory() throws {
        guard let cut = try cut() else { return }
        let commits = try ancestry().commits(behind: wants)
        boundary = try ShallowBoundary(
            cut, wants: commits, receiver: try shownShallow(), own: ownShallow, in: database,
            cancellation)
    }

    /// Those of the client's shallow commits that shown refs lead to: what is behind others is not given by
    /// deepening either.
    private func shownShallow() throws -> [ObjectID] {
        if service.settings.allowsAny { return request.shallow }
        var shown: [ObjectID] = []
        for oid in request.shallow where try database.contains(oid) {
            if try reachable.firstUnreached([oid], cancellation) == nil { shown.append(oid) }
        }
        return shown
    }

    private func cut() throws -> ShallowBoundary.Cut? {
        switch request.deepen {
        case .to(let depth): return .depth(depth)
        case .by(let depth):
            return .further(depth, tips: try ancestry().commits(behind: refs.tips))
        case .cut(let since, let excluding):
            let excluded = try excluding.map { name in
                guard let oid = refs.oid(meantBy: name) else {
                    throw Refusal("git upload-pack: ambiguous deepen-not: \(name)")
                }
                return oid
            }
            return .history(
                since: since, excluded: try ancestry().commits(behind: excluded))
        case nil:
            return ownShallow.isEmpty ? nil : .depth(UploadPackRequest.infiniteDepth)
        }
    }

    // MARK: The pack

    private mutating func sendPack() throws {
        var pack = service.settings.packDefaults
        pack.wants = wants
        pack.haves = negotiation.common
        pack.shallow = ownShallow.union(request.shallow)
        if let boundary {
            pack.shallow.formUnion(boundary.shallow)
            pack.wants += boundary.revealed
            pack.haves += boundary.unshallow
        }
        pack.filter = filter
        pack.isThin = request.thinPack && !negotiation.common.isEmpty
        pack.looksThroughHaves = pack.isThin && !pack.shallow.isEmpty
        pack.usesOffsetDeltas = request.ofsDelta
        if request.includeTag {
            pack.tags = refs.refs.filter {
                $0.peeled != nil && $0.name.bytes.hasPrefix("refs/tags/")
            }
            .map(\.oid)
            // What others show need not be here.
            if service.givenRefs != nil {
                pack.tags = try pack.tags.filter { try database.contains($0) }
            }
        }
        let uris = service.settings.blobURIs
        let elsewhere = uris.blobs(by: request.packfileURIProtocols)
        pack.elsewhere = elsewhere
        if let keeper = service.keeper {
            let key = AnswerDescription(
                pack, request, begun: writer.lines.bytes + (refs.notice?.bytes ?? [])
            ).bytes
            // Whether it goes on is up to all who follow now, and no more to the one who asked.
            output.onCancel(nil)
            guard let other = try keeper.output(forAnswer: key) else {
                _ = writer.takeBytes()
                return
            }
            other.onCancel { [cancellation] in cancellation.set() }
            output = other
        }
        opened = try service.packs?.open(pack, isUnwanted: { [output] in output.isCancelled })
        // Of packs elsewhere is told before, when it is known which of these blobs would be in the pack.
        if elsewhere.isEmpty { writer.beginPack() }
        try output.send(writer.takeBytes())
        let assembler = PackAssembler(
            pack, from: database, shelf: service.prepared, cancellation: cancellation)
        let sender = PackSender(
            writer, output, assembler.progress, isQuiet: request.noProgress)
        defer { writer = sender.writer }
        try service.ticker.run(sender) { [opened] in
            if let notice = refs.notice { sender.warn(notice) }
            try opened?.wait?()
            if let send = opened?.send {
                try send(PackReceiver(sender))
                return sender.finish(nil)
            }
            let summary = try assembler.run(
                leavingOut: { blobs throws(StoreError) in
                    if !elsewhere.isEmpty { try sender.begin(beside: uris.packs(of: blobs)) }
                }, { piece throws(StoreError) in try sender.send(piece) })
            sender.finish(summary)
        }
    }
}
