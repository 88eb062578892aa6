#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Where the package lies, and the environment that every process of a test gets: nothing of the
/// person's own configuration, and the same name and time for every commit.
public enum TestEnvironment {
    /// The folder with Package.swift in it.
    public static let packageRoot: String = {
        var parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        parts.removeLast(3)
        return parts.joined(separator: "/")
    }()

    /// The seconds since 1970 of every commit, tag and reflog entry.
    public static let time = 1_700_000_000

    /// What a process sees; `overrides` win, and an empty value there takes a variable away.
    public static func isolated(_ overrides: [String: String] = [:]) -> [String: String] {
        var all = [
            "PATH": variable("PATH") ?? "/usr/local/bin:/usr/bin:/bin",
            "HOME": "/nonexistent",
            "LC_ALL": "C",
            "TZ": "UTC",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_AUTHOR_NAME": "Ada Lovelace",
            "GIT_AUTHOR_EMAIL": "ada@example.com",
            "GIT_AUTHOR_DATE": "\(time) +0000",
            "GIT_COMMITTER_NAME": "Grace Hopper",
            "GIT_COMMITTER_EMAIL": "grace@example.com",
            "GIT_COMMITTER_DATE": "\(time) +0200",
            // A crash is a failed test: no minute spent on a backtrace.
            "SWIFT_BACKTRACE": "enable=no",
        ]
        for name in ["LD_LIBRARY_PATH", "TMPDIR"] { all[name] = variable(name) }
        all.merge(overrides) { $1 }
        return all.filter { !$0.value.isEmpty }
    }

    /// A variable of the test's own environment.
    public static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }
}
