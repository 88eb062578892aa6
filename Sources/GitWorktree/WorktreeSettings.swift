public import GitCore
public import GitStore

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
    public init(config: Config, environment: Environment = .process) throws(WorktreeError) {
        do throws(StoreError) {
            pathRules.protectHFS = try config.bool("core.protectHFS") ?? true
            pathRules.protectNTFS = try config.bool("core.protectNTFS") ?? true
            hasSymbolicLinks = try config.bool("core.symlinks") ?? true
            hasFileMode = try config.bool("core.fileMode") ?? true
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
            attributesFiles = try Self.attributesFiles(config, environment)
        } catch {
            throw WorktreeError(error)
        }
        eol = Self.word(config, "core.eol") == "crlf" ? .crlf : .lf
    }

    private static func word(_ config: Config, _ key: String) -> String? {
        config.string(key).map { String(decoding: $0.bytes.map(lowercased), as: UTF8.self) }
    }

    private static func attributesFiles(
        _ config: Config, _ environment: Environment
    ) throws(StoreError) -> [ByteString] {
        func variable(_ name: String) -> ByteString? {
            environment[name].flatMap { $0.isEmpty ? nil : $0 }
        }
        var files: [ByteString] = []
        if let path = try config.path("core.attributesFile") {
            files.append(path)
        } else if let home = variable("XDG_CONFIG_HOME") ?? variable("HOME").map({ $0 / ".config" })
        {
            files.append(home / "git/attributes")
        }
        if try environment.bool("GIT_ATTR_NOSYSTEM") != true { files.append("/etc/gitattributes") }
        return files.filter { !$0.isEmpty }
    }
}
