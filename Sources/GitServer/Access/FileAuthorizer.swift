public import GitCore
internal import GitStore
import Synchronization

/// Decides by files: names and passwords, tokens, and rules (docs/Serving.md).
///
/// Without rules everybody reads, and whoever logs in writes; where nobody can log in, everybody. Failed
/// logins are slowed down, by address and name.
public final class FileAuthorizer: Authorizer {
    private let passwords: ReloadedFile<PasswordFile>?
    private let tokens: ReloadedFile<TokenFile>?
    private let rules: ReloadedFile<AccessRules>?
    private let throttle = LoginThrottle()
    private let verified = VerifiedLogins()

    /// - Parameters:
    ///   - passwords: names and hashed passwords, as htpasswd writes them: bcrypt and SHA crypt.
    ///   - tokens: names and hashed tokens, a line `<name>:<SHA-256 in hex>` each.
    ///   - rules: lines of `<repository> read|write <who>...`.
    /// - Throws: ``ServerError`` where a file cannot be read, or has a line that is none.
    public init(
        passwords: ByteString? = nil, tokens: ByteString? = nil, rules: ByteString? = nil
    ) throws(ServerError) {
        do throws(StoreError) {
            self.passwords = try Self.file(passwords) { path throws(StoreError) in
                try PasswordFile(path)
            }
            self.tokens = try Self.file(tokens) { path throws(StoreError) in
                try TokenFile(path)
            }
            self.rules = try Self.file(rules) { path throws(StoreError) in
                try AccessRules(path)
            }
        } catch { throw ServerError(error) }
    }

    private static func file<Content: Sendable>(
        _ path: ByteString?,
        _ read: @escaping @Sendable (ByteString) throws(StoreError) -> Content
    ) throws(StoreError) -> ReloadedFile<Content>? {
        guard let path else { return nil }
        return try ReloadedFile(path, read)
    }

    private var hasUsers: Bool { passwords != nil || tokens != nil }

    public func decide(_ question: AccessQuestion) throws -> AccessDecision {
        var user: ByteString?
        if hasUsers, question.login != nil || question.hasBadLogin {
            let name = question.login?.name ?? ""
            guard throttle.admits(question.peer, name) else { return .tooManyFailures }
            guard let login = question.login, let found = try self.user(login) else {
                throttle.failed(question.peer, name)
                return .loginNeeded
            }
            throttle.succeeded(question.peer, found)
            user = found
        }
        if try isAllowed(user, question.writes, question.repository) {
            return .allowed(user: user)
        }
        return user == nil && hasUsers ? .loginNeeded : .forbidden
    }

    private func isAllowed(
        _ user: ByteString?, _ toWrite: Bool, _ repository: ByteString
    ) throws(StoreError) -> Bool {
        guard let rules else { return !toWrite || user != nil || !hasUsers }
        return try rules.current().content.allow(user, toWrite: toWrite, repository)
    }

    private func user(_ login: Login) throws(StoreError) -> ByteString? {
        switch login {
        case .token(let token): return try tokens?.current().content.owner(of: token)
        case .password(let name, let password):
            // Clients that know no tokens send one as the password of its name.
            if let owner = try tokens?.current().content.owner(of: password) {
                return owner == name ? owner : nil
            }
            guard let (file, generation) = try passwords?.current() else { return nil }
            if verified.contains(name, password, generation) { return name }
            guard file.accepts(name, password) else { return nil }
            verified.add(name, password, generation)
            return name
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

    func contains(_ name: ByteString, _ password: ByteString, _ generation: Int) -> Bool {
        let hash = hash(name, password, generation)
        return state.withLock { $0.until[hash].map { $0 > .now } ?? false }
    }

    func add(_ name: ByteString, _ password: ByteString, _ generation: Int) {
        let hash = hash(name, password, generation)
        state.withLock { state in
            if state.until.count >= Self.capacity {
                state.until = state.until.filter { $0.value > .now }
                if state.until.count >= Self.capacity { state.until = [:] }
            }
            state.until[hash] = .now + Self.lifetime
        }
    }

    /// A name has no colon in it, so that no two logins are hashed as one.
    private func hash(_ name: ByteString, _ password: ByteString, _ generation: Int) -> [UInt8] {
        var hasher = PlainHasher(.sha256)
        hasher.update(key)
        hasher.update(Array("\(generation):".utf8))
        hasher.update(name.bytes + [UInt8(ascii: ":")] + password.bytes)
        return hasher.finalize().rawBytes
    }
}
