import GitCore
import GitStore
import GitWorktree

struct Repack: Command {
    static let name = "repack"
    static let summary = "Put objects into packs, and remove what is then of no more use"
    static let usage = ["repack [<options>]"]
    static let options: [Option<Repack>] = [
        .flag("-a", \.packsAll, "pack everything in a single pack"),
        .flag("-A", \.loosens, "same as -a, and turn unreachable objects loose"),
        .flag("-d", \.removes, "remove redundant packs, and packed loose objects"),
        .flag("-f", \.anew, "look for deltas anew"),
        .flag("-F", \.objectsAnew, "same as -f"),
        .flag("-n", \.skipsServerInfo, "do not update what dumb clients look at"),
        .flag("-q, --[no-]quiet", \.isQuiet, "be quiet"),
        .flag("-l, --[no-]local", \.isLocal, "leave out what is borrowed from others"),
        .toggle("-b, --[no-]write-bitmap-index", \.bitmaps, "write bitmap index"),
        .flag("-k, --[no-]keep-unreachable", \.keeps, "with -a, repack unreachable objects"),
        .number("--window <n>", \.window, "size of the window used for delta compression"),
        .number("--depth <n>", \.depth, "limits the maximum delta depth"),
        .number("--threads <n>", \.threads, "limits the maximum number of threads"),
        .toggle(
            "--[no-]pack-kept-objects", \.packsKept, "repack objects in packs marked with .keep"),
        .values("--keep-pack <name>", \.keptPacks, "do not repack this pack"),
        .flag("-m, --[no-]write-midx", \.index, "write a multi-pack index of the resulting packs"),
    ]

    private var packsAll = false
    private var loosens = false
    private var removes = false
    private var anew = false
    private var objectsAnew = false
    private var skipsServerInfo = false
    private var isQuiet = false
    private var isLocal = false
    private var bitmaps: Bool?
    private var keeps = false
    private var window: Int?
    private var depth: Int?
    private var threads: Int?
    private var packsKept: Bool?
    private var keptPacks: [ByteString] = []
    private var index = false

    mutating func take(_ operand: ByteString) throws { throw UsageError(nil) }

    func run(_ invocation: Invocation) throws {
        let workspace = try invocation.workspace()
        let repository = workspace.repository
        guard !(keeps && loosens) else {
            throw Failure("options '--keep-unreachable' and '-A' cannot be used together")
        }
        if removes, try repository.config.bool("extensions.preciousobjects") ?? false {
            throw Failure("cannot delete packs in a precious-objects repo")
        }
        let options = try options(workspace)
        let repacker = try Repacker(repository, options)
        let display =
            isQuiet || !Terminal.isWatched
            ? nil : PackBuildDisplay(repacker.progress, showsWriting: true)
        let summary = try run(repacker)
        if let pack = summary.pack {
            display?.finish(pack)
        } else if !isQuiet {
            invocation.output.line("Nothing new to pack.")
        }
        if let reason = summary.withoutBitmaps, bitmaps == true {
            writeError("warning: Failed to write bitmap index: \(reason)\n")
        }
        if index {
            var writer = MultiPackIndexWriter(repository.objects)
            writer.extendsExisting = false
            writer.bitmaps = bitmaps == true ? repository : nil
            _ = try writer.write()
        }
        let isWanted = try repository.config.bool("repack.updateserverinfo") ?? true
        if !skipsServerInfo, isWanted { try repository.updateServerInfo() }
    }

    /// Stops at a signal without leaving anything half done behind.
    private func run(_ repacker: Repacker) throws -> Repacker.Summary {
        let signals = SignalWatch { _ in repacker.cancel() }
        do { return try repacker.run() } catch {
            if let number = signals.caught { dieBySignal(number) }
            throw error
        }
    }

    private func options(_ workspace: Workspace) throws -> RepackOptions {
        let config = workspace.repository.config
        var options = RepackOptions()
        options.packsEverything = packsAll || loosens
        options.unreachable = loosens ? .loosened : keeps ? .packed : .dropped
        options.removesRedundant = removes
        options.isLocal = isLocal
        options.makesDeltasAnew = anew || objectsAnew
        options.keptPacks = Set(keptPacks)
        let configured = try config.bool("repack.writebitmaps") ?? config.bool("pack.writebitmaps")
        if let wanted = bitmaps ?? configured {
            guard !wanted || options.packsEverything || index else {
                throw Failure(
                    """
                    Incremental repacks are incompatible with bitmap indexes.  Use
                    --no-write-bitmap-index or disable the pack.writeBitmaps configuration.
                    """)
            }
            options.writesBitmaps = wanted && !index
            options.packsKept = wanted && !index
        } else {
            options.writesBitmaps = options.packsEverything && workspace.repository.isBare && !index
        }
        if let packsKept = try packsKept ?? config.bool("repack.packkeptobjects") {
            options.packsKept = packsKept
        }
        options.writesReverseIndex = try config.bool("pack.writereverseindex") ?? true
        try setCompression(&options, config)
        options.roots = try indexed(workspace)
        return options
    }

    private func setCompression(_ options: inout RepackOptions, _ config: Config) throws {
        options.window = try window ?? config.int("pack.window") ?? options.window
        options.depth = try min(depth ?? config.int("pack.depth") ?? options.depth, 4_095)
        options.threads = try threads ?? config.int("pack.threads") ?? 0
        guard options.threads >= 0 else {
            throw Failure("invalid number of threads specified (\(options.threads))")
        }
        if options.threads == 0 { options.threads = Workers.processorCount }
        let level =
            try config.int("pack.compression") ?? config.int("core.compression") ?? -1
        guard (-1 ... 9).contains(level) else {
            throw Failure("bad pack compression level \(level)")
        }
        if level >= 0 { options.compressionLevel = Int32(level) }
    }

    /// The objects of the indexes of all work trees.
    private func indexed(_ workspace: Workspace) throws -> [ObjectID] {
        let repository = workspace.repository
        var paths: Set<ByteString> = [workspace.indexPath, repository.commonDirectory / "index"]
        let linked = repository.commonDirectory / "worktrees"
        if FileSystem.isDirectory(linked) {
            for name in try FileSystem.list(linked) { paths.insert(linked / name / "index") }
        }
        var oids: [ObjectID] = []
        for path in paths.sorted() {
            let index = try Index.read(path: path, format: workspace.format)
            for entry in index.entries where entry.mode != .gitlink { oids.append(entry.oid) }
            for oid in index.cacheTree.trees where try workspace.objects.contains(oid) {
                oids.append(oid)
            }
        }
        return oids
    }
}
