import GitCore
import GitStore

struct PackObjects: Command {
    static let name = "pack-objects"
    static let summary = "Build a pack"
    static let usage = ["pack-objects --revs --stdout [<options>] < <revision-list>"]
    static let options: [Option<PackObjects>] = [
        .flag("-q, --quiet", \.isQuiet, "do not show progress meter"),
        .toggle("--[no-]progress", \.progress, "show progress meter"),
        .flag("--all-progress", \.showsWriting, "show progress meter during object writing phase"),
        .flag(
            "--all-progress-implied", \.impliesWriting,
            "similar to --all-progress when progress meter is shown"),
        .number("--window <n>", \.window, "limit pack window by objects"),
        .number("--depth <n>", \.depth, "maximum length of delta chain of new deltas"),
        .flag(
            "--[no-]delta-base-offset", \.request.usesOffsetDeltas, "use OFS_DELTA objects"),
        .number("--threads <n>", \.threads, "use threads when searching for best delta matches"),
        .toggle(
            "--[no-]use-bitmap-index", \.usesBitmaps,
            "use a bitmap index if available to speed up counting objects"),
        .flag("--revs", \.readsRevisions, "read revision arguments from standard input"),
        .flag("--all", \.takesAll, "include objects reachable from any reference"),
        .flag("--stdout", \.writesStdout, "output pack to stdout"),
        .flag(
            "--[no-]include-tag", \.includesTags,
            "include tag objects that refer to objects to be packed"),
        .flag("--[no-]thin", \.request.isThin, "create thin packs"),
        .flag("--[no-]shallow", \.isShallow, "create packs suitable for shallow fetches"),
        .toggle("--[no-]sparse", \.sparse, "accepted for compatibility: all trees are looked at"),
        .number("--compression <n>", \.compression, "pack compression level"),
        .action("--[no-]filter <args>", "object filtering") { command, setting in
            command.filter = if case .value(let text) = setting { text } else { nil }
        },
    ]

    private var isQuiet = false
    private var progress: Bool?
    private var showsWriting = false
    private var impliesWriting = false
    private var window: Int?
    private var depth: Int?
    private var threads: Int?
    private var compression: Int?
    private var readsRevisions = false
    private var takesAll = false
    private var writesStdout = false
    private var includesTags = false
    private var isShallow = false
    private var usesBitmaps: Bool?
    private var filter: ByteString?
    private var sparse: Bool?
    private var request = Self.standardRequest

    private static let standardRequest = {
        var request = PackRequest()
        request.usesOffsetDeltas = false
        return request
    }()

    func run(_ invocation: Invocation) throws {
        guard writesStdout, readsRevisions || takesAll else { throw UsageError(nil) }
        let workspace = try invocation.workspace()
        let builder = PackAssembler(try request(workspace), from: workspace.objects)
        let display = try display(builder)
        let signals = SignalWatch { dieBySignal($0) }
        defer { withExtendedLifetime(signals) {} }
        let output = invocation.output
        let summary = try builder.run { piece throws(StoreError) in
            output.write(piece)
            if output.hasFailed { throw StoreError(.system, "write failure on standard output") }
        }
        display?.finish(summary)
    }

    private func request(_ workspace: Workspace) throws -> PackRequest {
        var request = request
        let config = workspace.repository.config
        request.window = try window ?? config.int("pack.window") ?? request.window
        request.depth = try min(depth ?? config.int("pack.depth") ?? request.depth, 4_095)
        request.threads = try threads ?? config.int("pack.threads") ?? 0
        guard request.threads >= 0 else {
            throw Failure("invalid number of threads specified (\(request.threads))")
        }
        if request.threads == 0 { request.threads = Workers.processorCount }
        let level =
            try compression ?? config.int("pack.compression") ?? config.int("core.compression")
            ?? -1
        guard (-1 ... 9).contains(level) else {
            throw Failure("bad pack compression level \(level)")
        }
        if level >= 0 { request.compressionLevel = Int32(level) }
        request.usesBitmaps = try usesBitmaps ?? config.bool("pack.usebitmaps") ?? true
        if let filter { request.filter = try parse(filter, workspace) }
        request.shallow = try workspace.repository.shallowCommits()
        request.looksThroughHaves = isShallow && request.isThin
        try readRevisions(workspace, &request)
        if takesAll { try addAll(workspace, &request) }
        if includesTags {
            request.tags = try workspace.repository.refs.list(prefix: "refs/tags/")
                .compactMap { $0.peeled == nil ? nil : $0.oid }
        }
        return request
    }

    private func parse(
        _ filter: ByteString, _ workspace: Workspace
    ) throws(StoreError) -> ObjectFilter {
        try ObjectFilter(parsing: filter) { name throws(StoreError) in
            guard let oid = try? workspace.repository.resolve(revision: name).oid,
                try workspace.objects.contains(oid)
            else {
                throw SparsePatterns.inaccessible(name)
            }
            return try SparsePatterns(blob: oid, in: workspace.objects)
        }
    }

    /// The lines of standard input, up to an empty one.
    private func readRevisions(_ workspace: Workspace, _ request: inout PackRequest) throws {
        guard readsRevisions else { return }
        var input = try Input.standard()
        var isExcluding = false
        while let line = try input.nextLine(), !line.isEmpty {
            if line == "--not" {
                isExcluding.toggle()
            } else if line.hasPrefix("--shallow ") {
                let hex = line.dropFirst(10)
                guard let oid = ObjectID(hex: hex), oid.format == workspace.format else {
                    throw Failure("not an object name '\(hex)'")
                }
                request.shallow.insert(oid)
            } else if line.hasPrefix("-") {
                throw Failure("not a rev '\(line)'")
            } else {
                let isNegated = line.hasPrefix("^")
                let oid = try revision(isNegated ? line.dropFirst(1) : line, line, workspace)
                if isNegated != isExcluding {
                    request.haves.append(oid)
                } else {
                    request.wants.append(oid)
                }
            }
        }
    }

    private func revision(
        _ name: ByteString, _ line: ByteString, _ workspace: Workspace
    ) throws -> ObjectID {
        guard let oid = try workspace.find(name) else {
            let isHex = ObjectID(hex: name)?.format == workspace.format
            throw Failure(isHex ? "bad object \(name)" : "bad revision '\(line)'")
        }
        guard try workspace.objects.contains(oid) else { throw Failure("bad object \(oid)") }
        return oid
    }

    private func addAll(_ workspace: Workspace, _ request: inout PackRequest) throws {
        let refs = workspace.repository.refs
        request.wants += try refs.list(prefix: "refs/", peeling: false).map(\.oid)
        if let head = try refs.resolve(.head) { request.wants.append(head.oid) }
    }

    private func display(_ builder: PackAssembler) throws -> PackBuildDisplay? {
        let isShown = progress ?? (showsWriting || Terminal.isWatched)
        guard isShown, !isQuiet else { return nil }
        return PackBuildDisplay(
            builder.progress, showsWriting: showsWriting || (impliesWriting && isShown))
    }
}
