import GitCore
import GitStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

struct IndexPack: Command {
    static let name = "index-pack"
    static let summary = "Verify a pack, and make its index"
    static let usage = [
        "index-pack [-v] [-o <index-file>] [--keep | --keep=<msg>] [--[no-]rev-index] [--strict]\n"
            + "                       (<pack-file> | --stdin [--fix-thin] [<pack-file>])"
    ]
    static let options: [Option<IndexPack>] = [
        .flag("-v", \.isVerbose, "show progress"),
        .value("-o <index-file>", \.indexPath, "write the index here"),
        .flag("--stdin", \.readsStdin, "read the pack from standard input, into the repository"),
        .flag("--fix-thin", \.completesThin, "add the bases that the pack leaves out"),
        .action("--keep[=<msg>]", "make a .keep file beside the pack") { command, setting in
            if case .value(let text) = setting {
                command.keep = text + "\n"
            } else {
                command.keep = ""
            }
        },
        .toggle("--[no-]rev-index", \.writesReverseIndex, "make a .rev file, or none"),
        .flag("--strict", \.isStrict, "refuse malformed objects, and links to missing ones"),
        .number("--threads <n>", \.threads, "use <n> threads"),
        .value("--object-format <hash>", \.objectFormat, "the hash algorithm of the pack"),
    ]

    private var isVerbose = false
    private var indexPath: ByteString?
    private var readsStdin = false
    private var completesThin = false
    private var keep: ByteString?
    private var writesReverseIndex: Bool?
    private var isStrict = false
    private var threads: Int?
    private var objectFormat: ByteString?
    private var packPath: ByteString?

    mutating func take(_ operand: ByteString) throws {
        guard packPath == nil else { throw UsageError(nil) }
        packPath = operand
    }

    func run(_ invocation: Invocation) throws {
        guard readsStdin || packPath != nil else { throw UsageError(nil) }
        if completesThin, !readsStdin { throw Failure("--fix-thin cannot be used without --stdin") }
        let repository = try invocation.repositoryIfAny()
        if readsStdin, repository == nil { throw Failure("--stdin requires a git repository") }
        if isStrict, repository == nil { throw Failure("--strict requires a git repository") }
        if let indexPath, !indexPath.hasSuffix(".idx") {
            throw Failure("index file name '\(indexPath)' does not end with '.idx'")
        }
        if let packPath, !packPath.hasSuffix(".pack") {
            throw Failure("packfile name '\(packPath)' does not end with '.pack'")
        }
        let pack =
            if isStrict, let repository {
                try indexStrictly(repository)
            } else {
                try index(repository)
            }
        let hash = pack.trailer.hex
        invocation.output.line(readsStdin ? (keep == nil ? "pack\t" : "keep\t") + hash : hash)
    }

    private func format(_ repository: Repository?) throws -> ObjectFormat {
        guard let objectFormat else { return repository?.format ?? .sha1 }
        guard let format = ObjectFormat(name: String(decoding: objectFormat.bytes, as: UTF8.self))
        else { throw Failure("unknown hash algorithm '\(objectFormat)'") }
        return format
    }

    private func options(_ repository: Repository?) throws -> PackIndexer.Options {
        var options = PackIndexer.Options()
        if let threads {
            guard threads >= 0 else { throw Failure("bad --threads=\(threads)") }
            // 0 asks for as many as there are processors.
            if threads > 0 { options.threads = threads }
        }
        options.findsMissingLinks = isStrict
        if completesThin { options.thinBases = repository?.objects }
        return options
    }

    private func index(_ repository: Repository?) throws -> IndexedPack {
        let (format, options) = (try format(repository), try options(repository))
        let indexer =
            if readsStdin, let repository {
                try PackIndexer(
                    directory: packFolder(repository), format: format, options: options)
            } else {
                try PackIndexer(existing: packPath ?? "", format: format, options: options)
            }
        let pack = try feed(indexer, removing: readsStdin ? indexer.path : nil)
        try pack.install(at: places(pack, repository))
        return pack
    }

    /// Looks at every object before the pack gets its place, in a copy of its own.
    private func indexStrictly(_ repository: Repository) throws -> IndexedPack {
        let format = try format(repository)
        let quarantine = try Quarantine(beside: repository.objects)
        let indexer = try PackIndexer(
            directory: quarantine.directory, format: format, options: options(repository))
        let pack = try feed(indexer, removing: quarantine.directory)
        try quarantine.hold(pack)
        try quarantine.check(pack, reporting: reportFault)
        try quarantine.checkLinks(of: pack)
        try pack.install(at: places(pack, repository))
        return pack
    }

    /// - Parameter temporary: a file or directory to remove should a signal end the process.
    private func feed(
        _ indexer: PackIndexer, removing temporary: ByteString?
    ) throws -> IndexedPack {
        var input =
            readsStdin ? try Input.standard() : Input(try File(packPath ?? "", O_RDONLY))
        // What waits for standard input does not look up for a request to stop.
        let signals = SignalWatch { number in
            if let temporary { Self.discard(temporary) }
            dieBySignal(number)
        }
        defer { withExtendedLifetime(signals) {} }
        let display =
            isVerbose
            ? PackDisplay(
                indexer.progress, title: readsStdin ? "Receiving objects" : "Indexing objects",
                showsBytes: readsStdin) : nil
        defer { display?.finish() }
        while let chunk = try input.nextChunk() {
            try chunk.withUnsafeBytes { try indexer.append($0) }
        }
        return try indexer.finish()
    }

    private static func discard(_ path: ByteString) {
        if FileSystem.isDirectory(path) {
            try? FileSystem.removeTree(path)
        } else {
            try? FileSystem.remove(path)
        }
    }

    private func packFolder(_ repository: Repository) throws -> ByteString {
        let folder = repository.objects.directory / "pack"
        try FileSystem.createDirectory(folder)
        return folder
    }

    private func places(
        _ pack: IndexedPack, _ repository: Repository?
    ) throws -> IndexedPack.Places {
        var base = packPath?.dropLast(5)
        if base == nil, let repository {
            base = try packFolder(repository) / ByteString("pack-\(pack.trailer.hex)")
        }
        var places = IndexedPack.Places(base: base ?? "", keep: keep)
        if !readsStdin { places.pack = nil }
        if let indexPath {
            places.index = indexPath
            places.reverseIndex = indexPath.dropLast(4) + ".rev"
        }
        let configured = try repository?.config.bool("pack.writereverseindex")
        if !(writesReverseIndex ?? configured ?? true) { places.reverseIndex = nil }
        return places
    }
}
