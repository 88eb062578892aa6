public import GitCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// Runs the hooks of a repository for one push, as git-receive-pack runs them: in the git directory, with
/// `GIT_DIR=.`, and told of the rest by environment, arguments and standard input. No shell is involved,
/// but for a script that does not say what runs it.
///
/// A hook's environment is made of ``HookEnvironment/inherited`` variables, and what stands here.
public struct HookRunner: Sendable {
    /// What came of a hook.
    public enum Outcome: Hashable, Sendable {
        /// There is none.
        case absent
        /// It ended with status 0.
        case accepted
        /// It ended otherwise, or could not be run; why, in a line that is safe to print.
        case refused(String)
    }

    /// What the pusher said for the hooks; nil where push options were not agreed on.
    public var pushOptions: [ByteString]?
    /// Further variables: `REMOTE_USER`, `GIT_COMMITTER_NAME` and the like.
    public var variables: [(name: String, value: ByteString)] = []
    /// How long a hook may run.
    public var timeout = Duration.seconds(3_600)

    private let repository: Repository
    private let environment: Environment
    private let cancellation = CancellationFlag()
    private let hinted = Hinted()

    /// - Parameter environment: where inherited variables come from.
    public init(_ repository: Repository, environment: Environment = .process) {
        self.repository = repository
        self.environment = environment
    }

    /// Something that any thread may call to end the hook that runs, with all that it started; it throws
    /// ``StoreError/Code/cancelled`` then.
    public var canceller: @Sendable () -> Void { { [cancellation] in cancellation.set() } }

    /// Runs a hook on the calling thread, if there is one.
    ///
    /// - Parameters:
    ///   - quarantine: where the objects are that are not in the repository yet.
    ///   - output: is given what the hook writes, piece by piece, and hints of this runner: for the pusher
    ///     to read.
    /// - Throws: ``StoreError/Code/invalid`` where a variable, a push option or the name of a ref has
    ///   control characters in it; ``StoreError/Code/cancelled``.
    public func run(
        _ hook: Hook, quarantine: Quarantine? = nil,
        output: (UnsafeRawBufferPointer) -> Void = { _ in }
    ) throws(StoreError) -> Outcome {
        guard let path = try find(hook.name, output) else { return .absent }
        for name in hook.names { try HookEnvironment.refuseControls(name, "name of a ref") }
        var made = try HookEnvironment(inheriting: environment)
        try made.add(variables)
        try made.add(
            hook.isToldPushOptions ? HookEnvironment.pushOptions(pushOptions ?? []) : [],
            unless: pushOptions == nil)
        if let quarantine { try made.add(quarantine.variables) }
        try made.add([("GIT_DIR", ".")])
        let call = ProgramCall(
            [path] + hook.arguments, environment: made.encoded,
            directory: repository.gitDirectory, input: hook.input, timeout: timeout)
        let end: ProgramEnd
        do throws(StoreError) {
            end = try call.run(cancellation: cancellation, output: output)
        } catch {
            if error.code == .cancelled { throw error }
            return .refused(error.message)
        }
        switch end {
        case .exited(0): return .accepted
        case .exited(let status): return .refused("\(hook.name) hook exited with status \(status)")
        case .signalled(let number): return .refused("\(hook.name) hook died of signal \(number)")
        case .timedOut: return .refused("\(hook.name) hook took too long and was ended")
        }
    }

    /// The hook's path, as seen from the git directory; nil where there is none that can be run.
    private func find(
        _ name: ByteString, _ output: (UnsafeRawBufferPointer) -> Void
    ) throws(StoreError) -> ByteString? {
        let directory: ByteString =
            if let path = try repository.config.path("core.hookspath") {
                path
            } else if repository.gitDirectory == repository.commonDirectory { "hooks" } else {
                repository.commonDirectory / "hooks"
            }
        let path = directory / name
        let full = path.hasPrefix("/") ? path : repository.gitDirectory / path
        guard full.withCString({ access($0, X_OK) }) != 0 else {
            // It has to have a slash in it, not to be looked for elsewhere.
            return path.bytes.contains(0x2f) ? path : "./" + path
        }
        if errno == EACCES { try hint(path, output) }
        return nil
    }

    /// Tells, once, of a hook that is there but may not be run.
    private func hint(
        _ path: ByteString, _ output: (UnsafeRawBufferPointer) -> Void
    ) throws(StoreError) {
        guard try repository.config.bool("advice.ignoredhook") ?? true, hinted.insert(path) else {
            return
        }
        let text =
            "hint: The '\(path)' hook was ignored because it's not set as executable.\n"
            + "hint: You can disable this warning with `git config advice.ignoredHook false`.\n"
        Array(text.utf8).withUnsafeBytes { output($0) }
    }

    /// The hooks that a hint was given of.
    private final class Hinted: Sendable {
        private let paths = Mutex<Set<ByteString>>([])

        func insert(_ path: ByteString) -> Bool { paths.withLock { $0.insert(path).inserted } }
    }
}

extension HookRunner {
    /// Tells the reference-transaction hook of what happens; a transaction that it refuses fails with
    /// ``StoreError/Code/conflict``.
    public func observer(
        output: @escaping (UnsafeRawBufferPointer) -> Void = { _ in }
    ) -> RefTransaction.Observer {
        { phase, changes throws(StoreError) in
            let outcome = try run(.referenceTransaction(phase, changes), output: output)
            if case .refused = outcome {
                throw StoreError(.conflict, "ref updates aborted by hook")
            }
        }
    }
}
