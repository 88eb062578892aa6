public import GitCore

/// Who did something, and when: an author, a committer.
public struct Identity: Hashable, Sendable {
    public let name: ByteString
    public let mail: ByteString
    public let date: GitDate

    /// The name and address are taken without what would break the line they are written in: `<`, `>`
    /// and LF anywhere, blanks and punctuation at their ends.
    public init(name: ByteString, mail: ByteString, date: GitDate) {
        self.name = Self.withoutCrud(name)
        self.mail = Self.withoutCrud(mail)
        self.date = date
    }

    /// As commits, tags and reflogs hold it: `Name <mail> 1700000000 +0100`.
    public var encoded: ByteString { name + " <" + mail + "> " + date.encoded }

    /// From such a line; nil where it has no address or no date.
    public init?(parsing line: ByteString) {
        let bytes = line.bytes
        guard let open = bytes.firstIndex(of: 0x3c), let close = bytes.lastIndex(of: 0x3e),
            open < close
        else { return nil }
        let words = ByteString(bytes[(close + 1)...]).split(0x20)
        guard words.count == 3, words[0].isEmpty,
            let seconds = Int64(String(decoding: words[1].bytes, as: UTF8.self)),
            let zone = GitDate.zone(String(decoding: words[2].bytes, as: UTF8.self))
        else { return nil }
        let nameEnd = open > 0 && bytes[open - 1] == 0x20 ? open - 1 : open
        name = ByteString(bytes[..<nameEnd])
        mail = ByteString(bytes[(open + 1) ..< close])
        date = GitDate(seconds: seconds, zoneMinutes: zone)
    }

    static func withoutCrud(_ text: ByteString) -> ByteString {
        let bytes = text.bytes
        guard let first = bytes.firstIndex(where: { !isCrud($0) }),
            let last = bytes.lastIndex(where: { !isCrud($0) })
        else { return "" }
        return ByteString(bytes[first ... last].filter { ![0x0a, 0x3c, 0x3e].contains($0) })
    }

    private static let crud = Set(".,:;<>\"\\'".utf8)

    private static func isCrud(_ byte: UInt8) -> Bool { byte <= 0x20 || crud.contains(byte) }
}

extension Identity {
    public enum Role: String, Sendable { case author, committer }

    /// Who this is, found as Git finds it (git-commit, "COMMIT INFORMATION"): `GIT_COMMITTER_NAME`,
    /// `GIT_COMMITTER_EMAIL`, `GIT_COMMITTER_DATE` (or `GIT_AUTHOR_…`), then `committer.name` and
    /// `.email`, `user.name` and `.email`, `EMAIL`, then what the operating system knows.
    ///
    /// - Parameter strict: refuse a name or address that had to be guessed, as for a commit; a reflog
    ///   takes what there is.
    /// - Throws: ``StoreError/Code/invalid`` for what is refused, and for a date that makes no sense.
    public static func current(
        _ role: Role, config: Config, environment: Environment = .process, strict: Bool
    ) throws(StoreError) -> Identity {
        let finder = IdentityFinder(
            role: role, config: config, environment: environment, strict: strict)
        let mail = try finder.mail()
        return Identity(name: try finder.name(mail: mail), mail: mail, date: try finder.date())
    }
}

/// Looks an identity up, one part after the other.
private struct IdentityFinder {
    let role: Identity.Role
    let config: Config
    let environment: Environment
    let strict: Bool

    private func variable(_ part: String) -> ByteString? {
        environment["GIT_\(role.rawValue.uppercased())_\(part)"]
    }

    /// The configured value; an empty one counts as none.
    private func configured(_ part: String) -> ByteString? {
        [config.string("\(role.rawValue).\(part)"), config.string("user.\(part)")]
            .compactMap { $0 }.first { !$0.isEmpty }
    }

    private static func refusal(_ reason: String) -> StoreError {
        StoreError(
            .invalid,
            "\(reason); Please tell me who you are: set user.name and user.email with"
                + " `git config --global`")
    }

    private func guess(_ what: String, _ value: ByteString?) throws(StoreError) -> ByteString? {
        if strict, try config.bool("user.useconfigonly") ?? false {
            throw Self.refusal("no \(what) was given and auto-detection is disabled")
        }
        return value
    }

    func name(mail: ByteString) throws(StoreError) -> ByteString {
        var name = variable("NAME") ?? configured("name")
        if name == nil {
            name = try guess("name", Account.current.map(Self.fullName))
            if strict, name == nil { throw Self.refusal("unable to auto-detect name") }
        }
        if let name, !name.isEmpty {
            guard !strict || !Identity.withoutCrud(name).isEmpty else {
                throw Self.refusal("name consists only of disallowed characters: \(name)")
            }
            return name
        }
        guard !strict else {
            throw Self.refusal("empty ident name (for <\(mail)>) not allowed")
        }
        return Account.current?.name ?? "unknown"
    }

    /// The first part of the account's full name, `&` replaced by its name with a capital.
    private static func fullName(_ account: Account) -> ByteString {
        var name: [UInt8] = []
        for byte in account.gecos.bytes.prefix(while: { $0 != 0x2c }) {
            guard byte == 0x26 else {
                name.append(byte)
                continue
            }
            var user = account.name.bytes
            if let first = user.first, (0x61 ... 0x7a).contains(first) { user[0] = first & ~0x20 }
            name += user
        }
        return ByteString(name)
    }

    func mail() throws(StoreError) -> ByteString {
        if let given = variable("EMAIL") ?? configured("email") { return given }
        if let given = try guess("email", environment["EMAIL"]), !given.isEmpty { return given }
        let user = Account.current?.name ?? "unknown"
        if let host = HostName.forMail { return user + "@" + host }
        let guessed = user + "@" + HostName.short + ".(none)"
        guard !strict else {
            throw Self.refusal("unable to auto-detect email address (got '\(guessed)')")
        }
        return guessed
    }

    func date() throws(StoreError) -> GitDate {
        guard let text = variable("DATE"), !text.isEmpty else { return .now }
        guard let date = GitDate(parsing: text) else {
            throw StoreError(.invalid, "invalid date format: \(text)")
        }
        return date
    }
}
