public import GitCore
import GitStore

/// Clones a repository.
///
///     let clone = try Clone("https://example.org/project.git")
///     let watching = Task { for await event in clone.progress { print(event) } }
///     let result = try await clone.run()
///
/// What it leaves is what `git clone` leaves: an ordinary repository. Where it fails, or its task is
/// cancelled, it leaves the directory as it was.
public final class Clone: Sendable {
    /// What was asked for, without a password.
    public let url: GitURL
    /// Where the clone goes: as given, or the name that `git clone` would choose.
    public let directory: ByteString
    public let options: CloneOptions
    /// What it is doing.
    public let progress = CloneProgress()

    private let transport: any HTTPTransport
    private let credentials: (any CredentialProvider)?

    /// - Parameters:
    ///   - url: http or https, once the settings `url.<base>.insteadOf` are applied.
    ///   - directory: missing, or an empty directory; nil for a name made from the URL.
    ///   - transport: what sends the requests; nil for libcurl.
    ///   - credentials: who is asked where the server wants to know; nil for Git's credential helpers
    ///     and the terminal.
    public init(
        _ url: ByteString, to directory: ByteString? = nil, options: CloneOptions = CloneOptions(),
        transport: (any HTTPTransport)? = nil, credentials: (any CredentialProvider)? = nil
    ) throws(ClientError) {
        self.url = try GitURL(url)
        self.directory =
            if let directory { directory } else {
                try self.url.directoryName(bare: options.isBare)
            }
        self.options = options
        self.transport = transport ?? CurlTransport()
        self.credentials = credentials
    }

    /// Refuses a directory that a clone cannot go to; ``run()`` does so, too.
    public func checkDirectory() throws(ClientError) {
        try CloneDestination.check(directory)
    }

    /// Clones. Call it once.
    ///
    /// - Throws: ``ClientError/Code/cancelled`` where the task was cancelled; the other codes as their
    ///   documentation tells.
    public func run() async throws(ClientError) -> CloneResult {
        defer { progress.finish() }
        let destination = try CloneDestination(directory)
        do throws(ClientError) {
            let run = CloneRun(self, destination, transport, credentials)
            let result = try await run.run()
            if Task.isCancelled { throw .cancelled }
            return result
        } catch {
            // A large tree takes a while to remove.
            do throws(ClientError) {
                try await DetachedThread.run { destination.restore() }
            } catch {
                destination.restore()
            }
            throw error
        }
    }
}
