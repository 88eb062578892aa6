public import GitCore
public import GitStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// What the configuration says of work trees.
public struct WorktreeSettings: Sendable {
    public enum AutoCRLF: Sendable { case off, on, input }
    public enum LineEnd: Sendable { case lf, crlf }
    public enum SafeCRLF: Sendable { case off, warn, fail }

    /// `core.protectHFS`, `core.protectNTFS`: both true unless set.
    public var pathRules = PathRules()
    /// `core.autocrlf`
    public var autoCRLF = AutoCRLF.off
    /// `core.eol`
    public var eol = LineEnd.lf
    /// `core.safecrlf`
    public var safeCRLF = SafeCRLF.warn
    /// `core.symlinks`: false writes a symbolic link as a file that holds its target.
    public var hasSymbolicLinks = true
    /// `core.fileMode`: false says that the file system does not keep the executable bit.
    public var hasFileMode = true
    /// The user's attributes file (`core.attributesFile`) and the system's, the strongest first.
    public var attributesFiles: [ByteString] = []

    /// Git's defaults on Unix, and no attributes files but the repository's.
    public init() {}

    /// As the configuration and the environment say.
    public init(config: Config) throws(WorktreeError) {
        do throws(StoreError) {
            pathRules.protectHFS = try config.bool("core.protecthfs") ?? true
            pathRules.protectNTFS = try config.bool("core.protectntfs") ?? true
            hasSymbolicLinks = try config.bool("core.symlinks") ?? true
            hasFileMode = try config.bool("core.filemode") ?? true
            if Self.word(config, "core.autocrlf") == "input" {
                autoCRLF = .input
            } else if try config.bool("core.autocrlf") ?? false {
                autoCRLF = .on
            }
            if Self.word(config, "core.safecrlf") == "warn" {
                safeCRLF = .warn
            } else if let isFatal = try config.bool("core.safecrlf") {
                safeCRLF = isFatal ? .fail : .off
            }
        } catch {
            throw WorktreeError(error)
        }
        eol = Self.word(config, "core.eol") == "crlf" ? .crlf : .lf
        attributesFiles = Self.attributesFiles(config)
    }

    private static func word(_ config: Config, _ key: String) -> String? {
        config.string(key).map { String(decoding: $0.bytes.map(lowercased), as: UTF8.self) }
    }

    private static func attributesFiles(_ config: Config) -> [ByteString] {
        var files: [ByteString] = []
        let home = environment("HOME")
        if let path = config.string("core.attributesfile") {
            if !path.hasPrefix("~/") {
                files.append(path)
            } else if let home {
                files.append(home / path.dropFirst(2))
            }
        } else if let directory = environment("XDG_CONFIG_HOME") ?? home.map({ $0 / ".config" }) {
            files.append(directory / "git/attributes")
        }
        if environment("GIT_ATTR_NOSYSTEM") == nil { files.append("/etc/gitattributes") }
        return files
    }

    /// nil where it is not set, or empty.
    private static func environment(_ name: String) -> ByteString? {
        guard let value = getenv(name), value.pointee != 0 else { return nil }
        return ByteString(UnsafeRawBufferPointer(start: value, count: strlen(value)))
    }
}
