#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The stock `git` that everything is checked against.
public enum Git {
    /// Runs it; an exit code that is not 0 is an error.
    @discardableResult
    public static func run(
        _ arguments: [String], in directory: String? = nil, input: [UInt8] = [],
        environment: [String: String] = [:]
    ) throws -> RunResult {
        let result = try attempt(arguments, in: directory, input: input, environment: environment)
        guard result.succeeded else {
            throw TestFailure("git \(arguments.joined(separator: " ")): \(result.err)")
        }
        return result
    }

    /// Runs it; any exit code is an answer.
    public static func attempt(
        _ arguments: [String], in directory: String? = nil, input: [UInt8] = [],
        environment: [String: String] = [:], timeout: Duration = .seconds(60)
    ) throws -> RunResult {
        try TestSupport.run(
            "git", arguments, environment: environment, input: input, directory: directory,
            timeout: timeout)
    }

    /// What it printed, without the newline at the end.
    public static func line(_ arguments: [String], in directory: String? = nil) throws -> String {
        let out = try run(arguments, in: directory).out
        return out.hasSuffix("\n") ? String(out.dropLast()) : out
    }
}

/// The `apus` that was built with the tests, or the program that the variable APUS names.
///
/// With `APUS_STAND_IN=git` in the environment, APUS is stock git under another name: that shows
/// that the tests themselves hold. What git is known to do otherwise is then not demanded.
public enum Apus {
    public static let isGit = TestEnvironment.variable("APUS_STAND_IN") == "git"

    public static let path: String = {
        if let given = TestEnvironment.variable("APUS") { return given }
        // The tests lie in the folder that the products were built into.
        if let folder = folderOfThisProgram(), exists("\(folder)/apus") { return "\(folder)/apus" }
        return "\(TestEnvironment.packageRoot)/.build/debug/apus"
    }()

    /// Runs it to its end; any exit code is an answer.
    public static func run(
        _ arguments: [String], in directory: String? = nil, input: [UInt8] = [],
        environment: [String: String] = [:], timeout: Duration = .seconds(60)
    ) throws -> RunResult {
        try TestSupport.run(
            path, arguments, environment: environment, input: input, directory: directory,
            timeout: timeout)
    }

    private static func folderOfThisProgram() -> String? {
        #if os(Linux)
            guard let link = try? TestSupport.run("/bin/readlink", ["/proc/\(getpid())/exe"]).out
            else { return nil }
            return link.lastIndex(of: "/").map { String(link[..<$0]) }
        #else
            return nil
        #endif
    }
}
