internal import GitCore
internal import GitStore
import Synchronization

/// Decides who may do what.
final class Gatekeeper: Sendable {
    enum Decision: Sendable {
        /// - Parameter user: who it is; nil for nobody in particular.
        case allowed(user: ByteString?)
        /// Log in, or better.
        case loginNeeded
        case forbidden
        case tooManyFailures
    }

    private let passwords: ReloadedFile<PasswordFile>?
    private let tokens: ReloadedFile<TokenFile>?
    private let rules: ReloadedFile<AccessRules>?
    private let throttle = LoginThrottle()
    private let verified = VerifiedLogins()

    init(_ options: ServerOptions) throws(StoreError) {
        func file<Content: Sendable>(
            _ path: ByteString?,
            _ read: @escaping @Sendable (ByteString) throws(StoreError) -> Content
        ) throws(StoreError) -> ReloadedFile<Content>? {
            guard let path else { return nil }
            return try ReloadedFile(path, read)
        }
        passwords = try file(options.passwordFile) { path throws(StoreError) in
            try PasswordFile(path)
        }
        tokens = try file(options.tokenFile) { path throws(StoreError) in try TokenFile(path) }
        rules = try file(options.accessFile) { path throws(StoreError) in try AccessRules(path) }
    }

    private var hasUsers: Bool { passwords != nil || tokens != nil }

    /// What can be said before anything else is looked at, without waiting; nil where that is not enough.
    func decideAtOnce(_ head: RequestHead) -> Decision? {
        guard let field = head.headers.value("authorization") else { return nil }
        guard hasUsers else { return nil }
        return Login(field) == nil ? .loginNeeded : nil
    }

    /// - Parameter repository: its path under the root, without `.git`.
    func decide(
        _ head: RequestHead, toWrite: Bool, _ repository: ByteString
    ) throws(StoreError) -> Decision {
        var user: ByteString?
        if hasUsers, let field = head.headers.value("authorization") {
            guard throttle.admits(head.peer) else { return .tooManyFailures }
            guard let login = Login(field), let found = try self.user(login, field) else {
                throttle.failed(head.peer)
                return .loginNeeded
            }
            throttle.succeeded(head.peer)
            user = found
        }
        if try isAllowed(user, toWrite, repository) { return .allowed(user: user) }
        return user == nil && hasUsers ? .loginNeeded : .forbidden
    }

    /// Without rules everybody reads, and whoever logs in writes; where nobody can log in, everybody.
    private func isAllowed(
        _ user: ByteString?, _ toWrite: Bool, _ repository: ByteString
    ) throws(StoreError) -> Bool {
        guard let rules else { return !toWrite || user != nil || !hasUsers }
        return try rules.content().allow(user, toWrite: toWrite, repository)
    }

    private func user(_ login: Login, _ field: ByteString) throws(StoreError) -> ByteString? {
        switch login {
        case .token(let token): return try tokens?.content().owner(of: token)
        case .password(let name, let password):
            // Clients that know no tokens send one as the password of its name.
            if let owner = try tokens?.content().owner(of: password) {
                return owner == name ? owner : nil
            }
            guard let file = try passwords?.content() else { return nil }
            if verified.contains(field, passwords?.generation ?? 0) { return name }
            guard file.accepts(name, password) else { return nil }
            verified.add(field, passwords?.generation ?? 0)
            return name
        }
    }
}

/// A file that is read again when it has changed. One that cannot be read any more lets nobody in.
private final class ReloadedFile<Content: Sendable>: Sendable {
    private struct State {
        var stamp: FileStamp?
        var content: Content
        var generation = 0
    }

    private let path: ByteString
    private let read: @Sendable (ByteString) throws(StoreError) -> Content
    private let state: Mutex<State>

    init(
        _ path: ByteString, _ read: @escaping @Sendable (ByteString) throws(StoreError) -> Content
    ) throws(StoreError) {
        self.path = path
        self.read = read
        state = Mutex(State(stamp: FileStamp(path), content: try read(path)))
    }

    /// Counts how often it was read again.
    var generation: Int { state.withLock { $0.generation } }

    func content() throws(StoreError) -> Content {
        let stamp = FileStamp(path)
        return try state.withLock { state throws(StoreError) -> Content in
            if stamp == nil || stamp != state.stamp {
                state.content = try read(path)
                state.stamp = stamp
                state.generation += 1
            }
            return state.content
        }
    }
}

/// Logins that were found right lately, so that not every request of a clone costs a slow hash: kept as
/// keyed hashes, for a few minutes.
private final class VerifiedLogins: Sendable {
    private struct State {
        var until: [[UInt8]: ContinuousClock.Instant] = [:]
    }

    private let key: [UInt8]
    private let state = Mutex(State())

    private static let lifetime: Duration = .seconds(300)
    private static let capacity = 10_000

    init() {
        var random = SystemRandomNumberGenerator()
        key = (0 ..< 64).map { _ in UInt8.random(in: 0 ... 255, using: &random) }
    }

    func contains(_ field: ByteString, _ generation: Int) -> Bool {
        let hash = hash(field, generation)
        return state.withLock { $0.until[hash].map { $0 > .now } ?? false }
    }

    func add(_ field: ByteString, _ generation: Int) {
        let hash = hash(field, generation)
        state.withLock { state in
            if state.until.count >= Self.capacity {
                state.until = state.until.filter { $0.value > .now }
                if state.until.count >= Self.capacity { state.until = [:] }
            }
            state.until[hash] = .now + Self.lifetime
        }
    }

    private func hash(_ field: ByteString, _ generation: Int) -> [UInt8] {
        var hasher = PlainHasher(.sha256)
        hasher.update(key)
        hasher.update(Array("\(generation):".utf8))
        hasher.update(field.bytes)
        return hasher.finalize().rawBytes
    }
}
