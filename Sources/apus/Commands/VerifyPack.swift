import GitCore
import GitStore

struct VerifyPack: Command {
    static let name = "verify-pack"
    static let summary = "Check packs, and perhaps list what is in them"
    static let usage = ["verify-pack [-v | --verbose] [-s | --stat-only] [--] <pack>.idx..."]
    static let options: [Option<VerifyPack>] = [
        .flag("-v, --[no-]verbose", \.isVerbose, "verbose"),
        .flag("-s, --[no-]stat-only", \.showsOnlyCounts, "show statistics only"),
        .value("--object-format <hash>", \.objectFormat, "specify the hash algorithm to use"),
    ]

    private var isVerbose = false
    private var showsOnlyCounts = false
    private var objectFormat: ByteString?
    private var paths: [ByteString] = []

    mutating func take(_ operand: ByteString) { paths.append(operand) }

    func run(_ invocation: Invocation) throws {
        guard !paths.isEmpty else { throw UsageError(nil) }
        let format = try format(invocation)
        var isSound = true
        for path in paths {
            let base = Self.withoutEnding(path)
            do throws(StoreError) {
                show(try PackVerifier(base, format).verify(), base, invocation.output)
            } catch {
                isSound = false
                try invocation.output.flush()
                writeError("fatal: \(error)\n")
                if isVerbose { invocation.output.write(base + ".pack: bad\n") }
            }
        }
        if !isSound { throw Failure(status: ExitStatus.failure) }
    }

    private func format(_ invocation: Invocation) throws -> ObjectFormat {
        guard let objectFormat else { return try invocation.repositoryIfAny()?.format ?? .sha1 }
        guard let format = ObjectFormat(name: String(decoding: objectFormat.bytes, as: UTF8.self))
        else { throw Failure("unknown hash algorithm '\(objectFormat)'") }
        return format
    }

    private static func withoutEnding(_ path: ByteString) -> ByteString {
        if path.hasSuffix(".pack") { return path.dropLast(5) }
        return path.hasSuffix(".idx") ? path.dropLast(4) : path
    }

    private func show(_ entries: [PackEntryReport], _ base: ByteString, _ output: Output) {
        guard isVerbose || showsOnlyCounts else { return }
        if !showsOnlyCounts { for entry in entries { output.line(Self.line(entry)) } }
        var counts: [Int: Int] = [:]
        for entry in entries { counts[entry.depth, default: 0] += 1 }
        for (depth, count) in counts.sorted(by: { $0.key < $1.key }) {
            let what = depth == 0 ? "non delta" : "chain length = \(depth)"
            output.line("\(what): \(count) object\(count == 1 ? "" : "s")")
        }
        if !showsOnlyCounts { output.write(base + ".pack: ok\n") }
    }

    private static func line(_ entry: PackEntryReport) -> String {
        let kind = entry.kind.name
        let padding = String(repeating: " ", count: 6 - kind.count)
        let line =
            "\(entry.oid) \(kind)\(padding) \(entry.size) \(entry.packedSize) \(entry.offset)"
        return entry.base.map { line + " \(entry.depth) \($0)" } ?? line
    }
}
