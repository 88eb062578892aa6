internal import GitCore
internal import GitStore
internal import GitWire

/// upload-pack for one client: what it is shown, and what it fetches.
///
/// What these functions throw ends the answer: ``Refusal``, `WireError` and `StoreError` with words for
/// the client, ``ExchangeEnded``.
struct UploadPackService {
    let served: ServedRepository
    let output: any ServiceOutput
    let ticker: Ticker
    let prepared: PreparedPacks
    /// nil for the repository's own refs.
    var givenRefs: (any RefSource)?
    /// Keeps answers with packs; nil for nobody.
    var keeper: (any PackKeeper)?
    /// Has packs that the repository may not have yet; nil for nobody.
    var packs: (any PackSource)?

    var repository: Repository { served.repository }
    /// Where others say which refs a client sees, no configuration says that it may have more.
    var settings: UploadPackSettings {
        givenRefs == nil ? served.uploadPack : served.uploadPack.strict
    }
    private var offer: UploadPackOffer { settings.offer(repository.format) }

    /// What is sent at a time.
    private static let portion = 64 << 10

    var source: any RefSource {
        givenRefs ?? OwnRefs(repository: repository, hidden: settings.hidden)
    }

    // MARK: Advertising

    /// Answers `info/refs`.
    func advertise(_ version: ProtocolVersion) throws {
        if version == .v2 { return try output.send(CapabilityAdvertisement(offer).encoded()) }
        let refs = try source.listed([])
        var symrefs: [(name: RefName, target: RefName)] = []
        if let target = refs.head.target, refs.head.oid != nil { symrefs = [(.head, target)] }
        var writer = try RefAdvertisementWriter(
            offer, version: version, symrefs: symrefs, overHTTP: true)
        if let oid = refs.head.oid { try writer.ref(.head, oid) }
        for ref in refs.refs {
            try writer.ref(ref.name, ref.oid, peeled: ref.peeled)
            if writer.count >= Self.portion { try output.send(writer.takeBytes()) }
        }
        try writer.end(shallow: try repository.shallowCommits().sorted())
        try output.send(writer.takeBytes())
    }

    // MARK: Requests

    /// Answers a request of any version; what it throws, the client has been told.
    func answer(_ body: [UInt8], _ version: ProtocolVersion) throws {
        var isTold = false
        do { try answer(body, version, &isTold) } catch {
            if !isTold, let text = Refusal.text(error) {
                var writer = PktLineWriter()
                writer.error(ByteString(text))
                try output.send(writer.bytes)
            }
            throw error
        }
    }

    private func answer(
        _ body: [UInt8], _ version: ProtocolVersion, _ isTold: inout Bool
    ) throws {
        guard version == .v2 else {
            guard let request = try UploadPackRequest(parsingV0: body, for: offer) else { return }
            isTold = true
            return try fetch(request)
        }
        guard let request = try CommandRequest(parsing: body, for: offer) else { return }
        switch request.command {
        case .lsRefs(let arguments): try listRefs(arguments)
        case .fetch(let request):
            isTold = true
            try fetch(request)
        case .objectInfo(let arguments): try tellOfObjects(arguments)
        case .bundleURI: try listBundles()
        }
    }

    private func fetch(_ request: UploadPackRequest) throws {
        guard !request.asksNothing else { return }
        let source = source
        let refs = try source.deciding(on: WantQuestion(request))
        var run = try FetchRun(self, request, refs, hidesObjects: source.hidesObjects)
        try run.run()
    }

    private func listRefs(_ arguments: LsRefsArguments) throws {
        let refs = try source.listed(arguments.prefixes.list)
        var response = LsRefsResponse(arguments)
        if let oid = refs.head.oid {
            try response.ref(.head, oid, symrefTarget: refs.head.target)
        } else if let target = refs.head.target, settings.unborn != .ignored {
            try response.unbornHead(target)
        }
        for ref in refs.refs {
            let target: RefName? = if case .symbolic(let name) = ref.ref { name } else { nil }
            try response.ref(ref.name, ref.oid, symrefTarget: target, peeled: ref.peeled)
            if response.count >= Self.portion { try output.send(response.takeBytes()) }
        }
        response.end()
        try output.send(response.takeBytes())
    }

    private func tellOfObjects(_ arguments: ObjectInfoArguments) throws {
        let refs = try source.deciding(on: WantQuestion(wants: arguments.oids))
        let reachable = served.reachable(
            from: refs.tips, shallow: try repository.shallowCommits())
        let cancellation = CancellationFlag()
        output.onCancel { cancellation.set() }
        defer { output.onCancel(nil) }
        var response = ObjectInfoResponse(arguments)
        for oid in arguments.oids {
            let isShown =
                try settings.allowsAny || reachable.firstUnreached([oid], cancellation) == nil
            let isThere = try isShown && repository.objects.contains(oid)
            let size = isThere ? try repository.objects.header(oid).size : nil
            try response.object(oid, size: size)
            if response.count >= Self.portion { try output.send(response.takeBytes()) }
        }
        response.end()
        try output.send(response.takeBytes())
    }

    private func listBundles() throws {
        var response = BundleURIResponse()
        for (key, value) in settings.bundles { try response.entry(key, value) }
        response.end()
        try output.send(response.takeBytes())
    }
}

extension WantQuestion {
    fileprivate init(_ request: UploadPackRequest) {
        wants = request.wants
        names = request.wantRefs
        isPlain =
            request.isDone && request.filter == nil && request.deepen == nil
            && request.shallow.isEmpty && request.rounds.allSatisfy(\.isEmpty)
        // History that ends at refs, and patterns that are found by a ref.
        if case .cut(_, let excluding) = request.deepen, !excluding.isEmpty { needsAllRefs = true }
        if request.filter?.printable.contains("sparse") ?? false { needsAllRefs = true }
        guard request.isV2 else { return }
        var features: [ByteString] = []
        if request.deepen != nil || !request.shallow.isEmpty { features.append("shallow") }
        if request.filter != nil { features.append("filter") }
        if !request.wantRefs.isEmpty { features.append("ref-in-want") }
        if request.waitForDone { features.append("wait-for-done") }
        if request.sidebandAll { features.append("sideband-all") }
        if !request.packfileURIProtocols.isEmpty { features.append("packfile-uris") }
        self.features = features
    }
}
