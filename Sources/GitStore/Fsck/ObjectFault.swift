public import GitCore

/// Something about an object's content that Git's rules (git-fsck, "fsck messages") do not allow.
public struct ObjectFault: Hashable, Sendable {
    public enum Severity: Sendable {
        /// Told, but no reason to refuse.
        case info
        /// Told; a reason to refuse only where the check is strict.
        case warning
        case error
    }

    /// The message id, as `fsck.<id>` in the configuration spells it.
    public let id: String
    public let severity: Severity
    /// What is wrong, in a few words. Safe to print.
    public let message: String

    init(_ severity: Severity, _ id: String, _ message: String) {
        self.severity = severity
        self.id = id
        self.message = message
    }

    /// Whether it makes an object unacceptable.
    public func isError(strict: Bool) -> Bool {
        severity == .error || (strict && severity == .warning)
    }
}

/// Checks the content of objects by Git's rules.
public struct ObjectChecker: Sendable {
    let format: ObjectFormat
    /// Whether warnings count as errors, and old group-writable modes as faults.
    let isStrict: Bool

    public init(_ format: ObjectFormat, strict: Bool = false) {
        self.format = format
        isStrict = strict
    }

    /// What is wrong with an object, each kind of fault once; empty where nothing is.
    public func check(_ object: GitObject) -> [ObjectFault] {
        var submodules: Set<ObjectID> = []
        return check(object, &submodules)
    }

    /// As ``check(_:)``; adds to `submodules` the blobs that the object, a tree, calls `.gitmodules`.
    /// They are to be checked by ``checkSubmodules(_:in:)``.
    func check(_ object: GitObject, _ submodules: inout Set<ObjectID>) -> [ObjectFault] {
        switch object.kind {
        case .commit: return checkCommit(object.content)
        case .tag: return checkTag(object.content)
        case .blob: return []
        case .tree:
            let (faults, found) = checkTree(object.content)
            submodules.formUnion(found)
            return faults
        }
    }
}
