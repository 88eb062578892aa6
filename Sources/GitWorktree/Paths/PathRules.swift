public import GitCore

/// Why a path must not be in a work tree.
public enum PathFault: Hashable, Sendable {
    case emptyComponent
    case dot
    case dotDot
    case slash
    case nul
    /// `.git`, or what a file system would take for it.
    case dotGit
    /// `.gitmodules`, or what a file system would take for it, as a symbolic link.
    case linkedGitmodules
    case tooLong
    case tooDeep

    /// Fits after "invalid path 'x': ".
    public var reason: String {
        switch self {
        case .emptyComponent: "it has an empty component"
        case .dot: "it has a component '.'"
        case .dotDot: "it has a component '..'"
        case .slash: "a name in a tree contains '/'"
        case .nul: "it contains a NUL byte"
        case .dotGit: "a component is, or is taken by some file systems for, '.git'"
        case .linkedGitmodules: "'.gitmodules' must not be a symbolic link"
        case .tooLong: "it is longer than \(WorktreeLimits.pathLength) bytes"
        case .tooDeep: "it is deeper than \(WorktreeLimits.depth) directories"
        }
    }
}

/// What every path from a tree, an index or a command is held against before a file is named by it.
///
/// The rules are on for every platform: a repository made here may be copied to a Mac or to Windows.
/// `core.protectHFS` and `core.protectNTFS` set to false widen them.
///
/// As in Git on Unix, `\` may stand in a name (systemd's repository has such files), but what is on
/// either side of one is held against the rules as if it were a name.
public struct PathRules: Hashable, Sendable {
    /// Refuse names that HFS+ takes for `.git` (`.g<U+200C>it`).
    public var protectHFS: Bool
    /// Refuse names that NTFS takes for `.git` (`git~1`, `.git. `, `.git::$INDEX_ALLOCATION`).
    public var protectNTFS: Bool

    public init(protectHFS: Bool = true, protectNTFS: Bool = true) {
        self.protectHFS = protectHFS
        self.protectNTFS = protectNTFS
    }

    /// What is wrong with `name` as one component of a path, of a symbolic link where it says so.
    public func fault(inComponent name: Span<UInt8>, isLink: Bool) -> PathFault? {
        guard !name.isEmpty else { return .emptyComponent }
        var start = 0
        for index in name.indices {
            switch name[index] {
            case 0: return .nul
            case 0x2f: return .slash
            case 0x5c where protectNTFS:
                let piece = name.extracting(start ..< index)
                if let fault = fault(inPiece: piece, isLink: isLink) { return fault }
                start = index + 1
            default: break
            }
        }
        return fault(inPiece: name.extracting(start ..< name.count), isLink: isLink)
    }

    /// What is wrong with a whole path, relative to the top of the work tree.
    public func fault(inPath path: ByteString, isLink: Bool) -> PathFault? {
        guard path.count <= WorktreeLimits.pathLength else { return .tooLong }
        let bytes = path.bytes.span
        var depth = 0
        var start = 0
        for index in 0 ... bytes.count where index == bytes.count || bytes[index] == 0x2f {
            depth += 1
            guard depth <= WorktreeLimits.depth else { return .tooDeep }
            let name = bytes.extracting(start ..< index)
            let isLast = index == bytes.count
            if let fault = fault(inComponent: name, isLink: isLink && isLast) { return fault }
            start = index + 1
        }
        return nil
    }

    /// Throws ``WorktreeError/Code/unsafePath`` where ``fault(inPath:isLink:)`` finds a fault.
    public func check(_ path: ByteString, mode: FileMode) throws(WorktreeError) {
        if let fault = fault(inPath: path, isLink: mode == .symbolicLink) {
            throw WorktreeError(.unsafePath, "invalid path '\(path)': \(fault.reason)")
        }
    }

    private func fault(inPiece piece: Span<UInt8>, isLink: Bool) -> PathFault? {
        guard let first = piece.isEmpty ? nil : piece[0] else { return nil }
        if first == 0x2e {
            if piece.count == 1 { return .dot }
            if piece.count == 2, piece[1] == 0x2e { return .dotDot }
        }
        if SpecialName.git.matches(piece, ntfs: protectNTFS, hfs: protectHFS) { return .dotGit }
        if isLink, SpecialName.gitmodules.matches(piece, ntfs: protectNTFS, hfs: protectHFS) {
            return .linkedGitmodules
        }
        return nil
    }
}
