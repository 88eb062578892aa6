public import GitCore
public import GitStore

/// What a clone is to be like; each stands for the option of `git clone` of that name.
public struct CloneOptions: Sendable {
    /// `--bare`: no work tree; the server's branches become the repository's own.
    public var bare = false
    /// `--mirror`: bare, and all refs of the server, under their own names.
    public var mirror = false
    /// `--no-checkout`: a work tree without files.
    public var noCheckout = false
    /// `--origin`; nil takes clone.defaultRemoteName, else `origin`.
    public var origin: ByteString?
    /// `--branch`: a branch, or a tag, to check out in place of the server's HEAD.
    public var branch: ByteString?
    /// `--single-branch`: only the history of that branch.
    public var singleBranch = false
    /// `--tags`: false takes no tags, and none later either.
    public var tags = true
    /// `--config`: settings for the new repository, written before anything is fetched. A nil value
    /// means true.
    public var settings: [(key: String, value: ByteString?)] = []
    /// Settings that hold for this clone alone, as `git -c`.
    public var overrides: [(String, ByteString?)] = []
    public var environment = Environment.process
    /// Whether the server is to be asked to tell how far it is.
    public var wantsServerProgress = true

    public init() {}

    var isBare: Bool { bare || mirror }
}

/// What a clone left on disk.
public struct CloneResult: Sendable, Hashable {
    public enum Head: Sendable, Hashable {
        case branch(RefName)
        case detached(ObjectID)
        /// A branch without a commit.
        case unborn(RefName)
    }

    public let gitDirectory: ByteString
    /// nil for a bare repository.
    public let workTree: ByteString?
    public let head: Head
    /// Objects that came.
    public let objectCount: Int
}

extension CloneResult {
    /// Whether the settings want a person to be told that HEAD is on no branch.
    package func advisesOnDetachedHead(
        _ overrides: [(String, ByteString?)]
    ) throws(StoreError) -> Bool {
        try Config.load(gitDirectory: gitDirectory, overrides: overrides)
            .bool("advice.detachedhead") ?? true
    }
}
