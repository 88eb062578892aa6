import GitCore
import GitStore

/// What every command is given beside its own arguments.
struct Invocation {
    let output: Output
    /// `-c` of the command line, in order.
    var overrides: [(String, ByteString?)] = []
    /// `--git-dir` or GIT_DIR.
    var gitDirectory: ByteString?
    /// `--work-tree` or GIT_WORK_TREE.
    var workTree: ByteString?
    var isBare = false
    /// What follows the command's name, as it was given.
    var arguments: [ByteString] = []

    init(output: Output) { self.output = output }
}
