import GitCore
import GitStore

struct UnpackObjects: Command {
    static let name = "unpack-objects"
    static let summary = "Store the objects of a pack one by one"
    static let usage = ["unpack-objects [-n] [-q] [--strict]"]
    static let options: [Option<UnpackObjects>] = [
        .flag("-n", \.isDryRun, "check the pack, and store nothing"),
        .flag("-q", \.isQuiet, "show no progress"),
        .flag("--strict", \.isStrict, "refuse malformed objects, and links to missing ones"),
    ]

    private var isDryRun = false
    private var isQuiet = false
    private var isStrict = false

    func run(_ invocation: Invocation) throws {
        let workspace = try invocation.workspace()
        let quarantine = try Quarantine(beside: workspace.objects)
        let directory = quarantine.directory
        let signals = SignalWatch { number in
            try? FileSystem.removeTree(directory)
            dieBySignal(number)
        }
        defer { withExtendedLifetime(signals) {} }
        var options = PackIndexer.Options()
        options.thinBases = workspace.objects
        options.findsMissingLinks = isStrict
        let pack = try receive(
            PackIndexer(directory: directory, format: workspace.format, options: options))
        try quarantine.hold(pack)
        if isStrict {
            try quarantine.check(pack, reporting: reportFault)
            try quarantine.checkLinks(of: pack)
        }
        if !isDryRun { try unpack(pack, in: quarantine) }
    }

    private func receive(_ indexer: PackIndexer) throws -> IndexedPack {
        var input = try Input.standard()
        while let chunk = try input.nextChunk() { try indexer.append(Array(chunk)) }
        return try indexer.finish()
    }

    private func unpack(_ pack: IndexedPack, in quarantine: Quarantine) throws {
        let isShown = !isQuiet && Terminal.isWatched
        var display = ProgressDisplay(terminal: .standardError, write: writeError)
        if isShown { display.begin("Unpacking objects", at: .now) }
        try quarantine.unpack(pack) { done, total in
            guard isShown else { return }
            display.update(ProgressCounts(done: UInt64(done), total: UInt64(total)), at: .now)
        }
        display.finish(at: .now)
        try quarantine.migrate()
    }
}

/// Tells of a fault in an object, as fsck does.
func reportFault(_ found: FoundFault) {
    let severity = found.isError ? "error" : "warning"
    writeError(
        "\(severity) in \(found.kind.name) \(found.oid): \(found.fault.id): \(found.fault.message)\n"
    )
}
