internal import GitCore

/// The environment of a hook.
struct HookEnvironment {
    /// What a hook gets of the server's own variables. All others stay out: a server's secrets, and the
    /// variables by which Git's programs would take another repository for this one.
    static let inherited = [
        "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "LANG", "LANGUAGE", "LC_ALL",
        "LC_COLLATE", "LC_CTYPE", "LC_MESSAGES", "LC_MONETARY", "LC_NUMERIC", "LC_TIME",
        "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "LD_LIBRARY_PATH",
    ]

    /// Longest value that is added, in bytes: more than that the system refuses.
    private static let longestValue = 100_000

    private var values: [String: ByteString] = [:]

    init(inheriting environment: Environment) throws(StoreError) {
        for name in Self.inherited {
            // A value that nobody could have meant is left out, not refused: it is not the pusher's.
            guard let value = environment[name], Self.isHarmless(value) else { continue }
            values[name] = value
        }
    }

    mutating func add(
        _ variables: [(name: String, value: ByteString)], unless isLeftOut: Bool = false
    ) throws(StoreError) {
        if isLeftOut { return }
        for (name, value) in variables {
            guard Self.isName(name) else {
                throw StoreError(
                    .invalid, "'\(ByteString(name))' is no name of an environment variable")
            }
            try Self.refuseControls(value, "value of \(name)")
            guard value.count <= Self.longestValue else {
                throw StoreError(.limit, "the value of \(name) is too long")
            }
            values[name] = value
        }
    }

    /// `NAME=value` each.
    var encoded: [ByteString] {
        values.sorted { $0.key < $1.key }.map { ByteString($0.key) + "=" + $0.value }
    }

    static func pushOptions(_ options: [ByteString]) -> [(name: String, value: ByteString)] {
        options.enumerated().map { ("GIT_PUSH_OPTION_\($0.offset)", $0.element) }
            + [("GIT_PUSH_OPTION_COUNT", ByteString("\(options.count)"))]
    }

    static func refuseControls(_ text: ByteString, _ what: String) throws(StoreError) {
        guard isHarmless(text) else {
            throw StoreError(.invalid, "the \(what) has control characters in it: '\(text)'")
        }
    }

    private static func isHarmless(_ text: ByteString) -> Bool {
        !text.bytes.contains { $0 < 0x20 || $0 == 0x7f }
    }

    private static func isName(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        guard let first = bytes.first, !(0x30 ... 0x39).contains(first) else { return false }
        return bytes.allSatisfy {
            ConfigKey.isLetter($0) || (0x30 ... 0x39).contains($0) || $0 == 0x5f
        }
    }
}
