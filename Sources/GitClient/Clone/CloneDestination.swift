import GitCore
import GitStore

/// The directory of a new clone: made, or found empty; and left as it was if the clone fails.
struct CloneDestination: Sendable {
    let directory: ByteString
    /// Directories that were made for it, outermost first.
    private let made: [ByteString]
    private let found: RemovableDirectory

    init(_ directory: ByteString) throws(ClientError) {
        self.directory = directory
        try Self.check(directory)
        (made, found) = try storing { () throws(StoreError) in
            let made = try FileSystem.createDirectories(directory)
            do throws(StoreError) {
                return (made, try RemovableDirectory(directory))
            } catch {
                for path in made.reversed() { try? FileSystem.removeEmptyDirectory(path) }
                throw error
            }
        }
        // Another process may have been quicker: what is there is not this clone's to remove.
        if made.last != directory { try Self.check(directory) }
    }

    static func check(_ directory: ByteString) throws(ClientError) {
        guard FileSystem.exists(directory) else { return }
        guard FileSystem.isDirectory(directory), (try? FileSystem.list(directory).isEmpty) == true
        else {
            throw ClientError(
                .invalid,
                "destination path '\(directory)' already exists and is not an empty directory.")
        }
    }

    /// Removes what the clone wrote and made.
    func restore() {
        try? found.removeContents()
        // A directory in which something else has appeared meanwhile stays.
        for path in made.reversed() { try? FileSystem.removeEmptyDirectory(path) }
    }
}

/// Runs a step on the repository on this side.
func storing<Result>(
    _ step: () throws(StoreError) -> Result
) throws(ClientError) -> Result {
    do throws(StoreError) { return try step() } catch {
        throw error.code == .cancelled ? .cancelled : ClientError(error)
    }
}
