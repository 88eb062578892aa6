import GitClient
import GitCore

struct CacheWarmCommand: Command {
    static let name = "cache warm"
    static let summary = "Have a cache fetch what clones will ask for"
    static let usage = ["cache warm [--progress] <url>..."]
    static let options: [Option<CacheWarmCommand>] = [
        .flag(
            "--progress", \.withProgress,
            "ask as Git does in a terminal, with the server's progress; else as it does elsewhere")
    ]

    private var withProgress = false
    private var urls: [ByteString] = []

    mutating func take(_ operand: ByteString) { urls.append(operand) }

    nonisolated(nonsending) func run(_ invocation: Invocation) async throws {
        guard !urls.isEmpty else { throw UsageError("Which URL, at the cache?") }
        var hasFailed = false
        for url in urls {
            do throws(ClientError) {
                let clone = try CloneRehearsal(url, overrides: invocation.overrides) { notice in
                    switch notice {
                    case .warning(let text): writeError("warning: \(text)\n")
                    case .remote(let line): writeError("remote: \(line)\n")
                    }
                }
                let came = try await clone.run(withProgress: withProgress)
                invocation.output.line(
                    "\(clone.url.redacted): \(came.refs) refs, \(came.bytes) bytes")
            } catch {
                writeError("error: \(error.message)\n")
                hasFailed = true
            }
        }
        if hasFailed { throw Failure(status: ExitStatus.failure) }
    }
}
