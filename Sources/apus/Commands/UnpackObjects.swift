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
        let incoming = try quarantine.store(holding: pack, workspace.format)
        if isStrict {
            let checker = ObjectChecker(workspace.format, strict: true)
            try workspace.objects.check(pack, in: incoming, checker, reporting: reportFault)
        }
        if !isDryRun { try unpack(pack, incoming, into: workspace.objects) }
    }

    private func receive(_ indexer: PackIndexer) throws -> IndexedPack {
        var input = try Input.standard()
        while let chunk = try input.nextChunk() { try indexer.append(Array(chunk)) }
        return try indexer.finish()
    }

    private func unpack(
        _ pack: IndexedPack, _ incoming: ObjectDatabase, into objects: ObjectDatabase
    ) throws {
        let isShown = !isQuiet && Terminal.isWatched
        var display = ProgressDisplay(terminal: .standardError, write: writeError)
        if isShown { display.begin("Unpacking objects", at: .now) }
        try objects.unpack(pack, from: incoming) { done, total in
            guard isShown else { return }
            display.update(ProgressCounts(done: UInt64(done), total: UInt64(total)), at: .now)
        }
        display.finish(at: .now)
    }
}

/// Tells of a fault in an object, as fsck does.
func reportFault(_ oid: ObjectID, _ kind: ObjectKind, _ fault: ObjectFault) {
    let severity = fault.isError(strict: true) ? "error" : "warning"
    writeError("\(severity) in \(kind.name) \(oid): \(fault.id): \(fault.message)\n")
}
