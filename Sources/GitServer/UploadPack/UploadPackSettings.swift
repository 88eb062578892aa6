internal import GitCore
internal import GitStore
internal import GitWire

/// What a repository's configuration says of fetches from it (git-config, "uploadpack", "lsrefs",
/// "uploadpackfilter", "bundle").
struct UploadPackSettings: Sendable {
    let hidden: HiddenRefs
    let allowsFilter: Bool
    let filters: FilterRules
    /// Objects that a client may ask for by id, besides the tips that it is shown. A client of version 2
    /// need not know: it may ask for whatever shown refs lead to.
    private(set) var allowsHiddenTips: Bool
    private(set) var allowsReachable: Bool
    private(set) var allowsAny: Bool
    let allowsRefInWant: Bool
    let allowsSidebandAll: Bool
    let unborn: UploadPackOffer.Unborn
    let tellsObjectInfo: Bool
    /// `bundle.*`, where uploadpack.advertiseBundleURIs is on.
    let bundles: [(key: ByteString, value: ByteString)]
    /// Those of them that are served from here.
    let bundleFiles: BundleFiles
    let blobURIs: BlobURIs
    let packDefaults: PackRequest

    init(_ config: Config, _ format: ObjectFormat) throws(StoreError) {
        func flag(_ key: String, _ unset: Bool = false) throws(StoreError) -> Bool {
            try config.bool(key) ?? unset
        }
        hidden = try HiddenRefs(config, section: "uploadpack")
        allowsFilter = try flag("uploadpack.allowfilter")
        filters = try FilterRules(config)
        allowsAny = try flag("uploadpack.allowanysha1inwant")
        allowsHiddenTips = try flag("uploadpack.allowtipsha1inwant") || allowsAny
        allowsReachable = try flag("uploadpack.allowreachablesha1inwant") || allowsAny
        allowsRefInWant = try flag("uploadpack.allowrefinwant")
        allowsSidebandAll = try flag("uploadpack.allowsidebandall")
        tellsObjectInfo = try flag("transfer.advertiseobjectinfo")
        unborn =
            switch config.string("lsrefs.unborn") {
            case "ignore": .ignored
            case "allow": .allowed
            default: .advertised
            }
        bundles =
            try flag("uploadpack.advertisebundleuris")
            ? config.entries.filter { $0.key.section == "bundle" }
                .map { (key: $0.key.bytes, value: $0.value ?? "true") } : []
        bundleFiles = BundleFiles(bundles)
        blobURIs = try BlobURIs(config, format)
        packDefaults = try PackRequest(config)
    }

    /// The same, without exceptions from what a client may have.
    var strict: UploadPackSettings {
        var settings = self
        settings.allowsHiddenTips = false
        settings.allowsReachable = false
        settings.allowsAny = false
        return settings
    }

    func offer(_ format: ObjectFormat) -> UploadPackOffer {
        var offer = UploadPackOffer(format, agent: Server.agent)
        offer.filter = allowsFilter
        offer.tipInWant = allowsHiddenTips
        offer.reachableInWant = allowsReachable
        offer.unborn = unborn
        offer.refInWant = allowsRefInWant
        offer.sidebandAll = allowsSidebandAll
        offer.objectInfo = tellsObjectInfo
        offer.bundleURI = !bundles.isEmpty
        offer.packfileURIs = !blobURIs.isEmpty
        return offer
    }
}

/// Which filters a client may use (git-config, "uploadpackfilter").
struct FilterRules: Sendable {
    private let allowsOthers: Bool
    private let byKind: [ByteString: Bool]
    private let deepestTree: UInt64?

    init(_ config: Config) throws(StoreError) {
        allowsOthers = try config.bool("uploadpackfilter.allow") ?? true
        var byKind: [ByteString: Bool] = [:]
        for kind in config.subsections("uploadpackfilter") {
            byKind[kind] = try config.bool("uploadpackfilter.\(kind.printable).allow")
        }
        self.byKind = byKind
        deepestTree = try config.int("uploadpackfilter.tree.maxdepth").map { UInt64(max(0, $0)) }
    }

    /// - Throws: ``StoreError/Code/invalid`` with git's words.
    func check(_ filter: ByteString) throws(StoreError) {
        let kind = Self.kind(filter)
        guard byKind[kind] ?? allowsOthers else {
            throw StoreError(.invalid, "filter '\(kind)' not supported")
        }
        if kind == "tree", let deepestTree,
            let depth = UInt64(filter.dropFirst("tree:".utf8.count).printable), depth > deepestTree
        {
            throw StoreError(
                .invalid,
                "tree filter allows max depth \(deepestTree), but got \(depth)")
        }
        guard kind == "combine" else { return }
        for part in filter.dropFirst("combine:".utf8.count).split(UInt8(ascii: "+")) {
            guard let decoded = part.bytes.percentDecoded, decoded.count < filter.count else {
                throw StoreError(.invalid, "invalid filter-spec '\(filter)'")
            }
            try check(ByteString(decoded))
        }
    }

    /// What stands before the value: `blob:limit`, `tree`.
    private static func kind(_ filter: ByteString) -> ByteString {
        if filter.hasPrefix("blob:limit=") { return "blob:limit" }
        if filter.hasPrefix("object:type=") { return "object:type" }
        if filter.hasPrefix("sparse:oid=") { return "sparse:oid" }
        for kind: ByteString in ["tree", "combine"] where filter.hasPrefix(kind + ":") {
            return kind
        }
        return filter
    }
}
