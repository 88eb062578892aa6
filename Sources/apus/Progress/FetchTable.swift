import GitClient
import GitCore
import GitStore

/// The table of refs that `git fetch` prints (git-fetch, "OUTPUT"):
///
///     From <url>
///      <flag> <summary> <source> -> <destination>  (<reason>)
struct FetchTable {
    private let result: RemoteFetchResult
    private let repository: Repository
    private let isVerbose: Bool
    /// Digits of an abbreviated id.
    private let digits: Int
    private let columns: Int

    /// What Git reckons for the flag and the summary, and for the arrow.
    private static let otherColumns = 21 + 4
    private static let narrowest = 10

    init(_ result: RemoteFetchResult, _ repository: Repository, isVerbose: Bool) throws {
        self.result = result
        self.repository = repository
        self.isVerbose = isVerbose
        digits = result.changes.isEmpty ? 0 : try repository.abbreviationLength()
        columns = Terminal.standardError.columns()
    }

    /// Whole lines; empty where there is nothing to tell.
    var text: String {
        let shown = result.changes.filter { isVerbose || $0.kind != .upToDate }
        guard !shown.isEmpty else { return "" }
        let width =
            shown.map { max($0.old.map(length) ?? digits, $0.new.map(length) ?? digits) }
            .max() ?? digits
        let sources = sourceColumn(shown)
        return "From \(result.url)\n"
            + shown.map { " " + line($0, summary: 2 * width + 3, source: sources) + "\n" }.joined()
    }

    private func length(_ oid: ObjectID) -> Int { short(oid).count }

    private func short(_ oid: ObjectID) -> String {
        ((try? repository.objects.abbreviated(oid, minimum: digits)) ?? ByteString(oid.hexBytes))
            .printable
    }

    /// As wide as the longest source whose line has room on the terminal.
    private func sourceColumn(_ changes: [FetchedChange]) -> Int {
        changes.reduce(Self.narrowest) { widest, change in
            guard let destination = change.destination, change.kind != .deleted,
                change.source != "HEAD"
            else { return widest }
            let source = change.source.printable.count
            let all = Self.otherColumns + source + pretty(destination).count
            return all < columns ? max(widest, source) : widest
        }
    }

    private func line(_ change: FetchedChange, summary: Int, source: Int) -> String {
        let (flag, what, reason) = parts(of: change)
        let destination = change.destination.map(pretty) ?? "FETCH_HEAD"
        let failure = change.hasFailed ? "unable to update local ref" : reason
        // Git prunes before it reckons how wide the column is.
        let source = change.kind == .deleted ? Self.narrowest : source
        return "\(change.isError ? "!" : flag) \(padded(what, summary))"
            + " \(padded(change.source.printable, source)) -> \(destination)"
            + (failure.map { "  (\($0))" } ?? "")
    }

    private func parts(
        of change: FetchedChange
    ) -> (flag: String, summary: String, reason: String?) {
        func range(_ dots: String) -> String {
            (change.old.map(short) ?? "") + dots + (change.new.map(short) ?? "")
        }
        return switch change.kind {
        case .upToDate: ("=", "[up to date]", nil)
        case .fastForward: (" ", range(".."), nil)
        case .forced: ("+", range("..."), "forced update")
        case .tagUpdate: ("t", "[tag update]", nil)
        case .newTag: ("*", "[new tag]", nil)
        case .newBranch: ("*", "[new branch]", nil)
        case .newRef: ("*", "[new ref]", nil)
        case .deleted: ("-", "[deleted]", nil)
        case .rejected(let reason): ("!", "[rejected]", reason)
        case .fetchHead(let kind): ("*", kind, nil)
        }
    }

    private func pretty(_ name: RefName) -> String {
        for prefix: ByteString in ["refs/heads/", "refs/tags/", "refs/remotes/"]
        where name.bytes.hasPrefix(prefix) {
            return name.bytes.dropFirst(prefix.count).printable
        }
        return name.bytes.printable
    }

    private func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
