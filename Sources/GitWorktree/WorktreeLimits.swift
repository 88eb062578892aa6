/// What a tree, an index or an attributes file may at most ask for.
///
/// Far above what honest repositories have, and low enough that a hostile one ends in an error instead
/// of eating the machine (a "git bomb" names 10¹⁰ files with a dozen objects).
public enum WorktreeLimits {
    /// Directories above a file, its own name included (Git: `core.maxTreeDepth`).
    public static let depth = 2_048
    /// Bytes of a path. Linux takes no longer path in one call, so Git cannot check one out either.
    public static let pathLength = 4_096
    /// Entries of a tree with all its subtrees, or of an index.
    public static let entries = 8_000_000
    /// Bytes of all paths of a tree with all its subtrees together.
    public static let totalPathLength = 1 << 30
    /// Bytes of an index file.
    public static let indexSize = 4 << 30
    /// Bytes of the target of a symbolic link: what Linux takes.
    public static let linkTargetLength = 4_095
    /// Bytes of a file to be added to the index.
    public static let stagedFileSize = 4 << 30

    /// Bytes of a line of an attributes file; a longer one is left out, as Git does.
    public static let attributeLineLength = 2_048
    /// Bytes of an attributes file; a larger one is left out, as Git does.
    public static let attributesFileSize = 100 << 20
    /// Rules of one repository's attributes files together.
    public static let attributeRules = 200_000

    /// Bytes of a file that are converted (line ends, `$Id$`) at a time.
    public static let conversionPiece = 1 << 20
    /// Threads that write files.
    public static let checkoutThreads = 8
}
