import GitCore
import TestSupport
import Testing

@testable import GitStore

/// The matcher as the commands that are built on it use it, against git.
@Suite struct WildPatternTests {
    /// The sample paths that may be refs.
    private static let branches = PatternSamples.paths.filter {
        RefName.branch(ByteString($0)) != nil
    }

    /// Two repositories with those branches, of which some are directories of others.
    private func repositories(
        _ oracle: RepositoryOracle
    ) throws -> [(name: String, refs: [String])] {
        var groups: [[String]] = [[], []]
        for branch in Self.branches {
            let place = groups.firstIndex { group in
                !group.contains { $0.hasPrefix(branch + "/") || branch.hasPrefix($0 + "/") }
            }
            if let place { groups[place].append(branch) }
        }
        return try groups.enumerated().map { number, group in
            let oid = try #require(try oracle.makeCommits("r\(number)", count: 1).first)
            let input = group.map { "create refs/heads/\($0) \(oid)\n" }.joined()
            let made = try oracle.run(
                ["update-ref", "--stdin"], in: "r\(number)", input: Array(input.utf8))
            try #require(made.status == 0, "\(made.errors)")
            return ("r\(number)", (group + ["main"]).map { "refs/heads/\($0)" })
        }
    }

    @Test func refsMatchAsForEachRefSays() throws {
        let oracle = try RepositoryOracle()
        let more = [
            "refs/**", "**", "refs/*/a", "*/heads/a", "refs/**/a", "refs/heads/d/", "r**/a",
        ]
        let patterns = PatternSamples.patterns.map { "refs/heads/" + $0 } + more
        var count = 0
        for (name, refs) in try repositories(oracle) {
            for pattern in patterns {
                let listed = try oracle.run(
                    ["for-each-ref", "--format=%(refname)", "--", pattern], in: name)
                try #require(listed.status == 0, "\(listed.errors)")
                let theirs = Set(listed.text.split(separator: "\n").map(String.init))
                let compiled = RefPatterns([ByteString(pattern)])
                let ours = try refs.filter { compiled.matches(try ref(ByteString($0))) }
                #expect(Set(ours).symmetricDifference(theirs) == [], "\(pattern)")
                count += ours.count
            }
        }
        #expect(count > 500)
    }

    @Test func namesMatchAsLsRemoteSays() throws {
        let oracle = try RepositoryOracle()
        var count = 0
        for (name, refs) in try repositories(oracle).prefix(1) {
            for pattern in PatternSamples.patterns {
                let listed = try oracle.run(["ls-remote", "--refs", ".", pattern], in: name)
                try #require(listed.status == 0, "\(listed.errors)")
                let theirs = Set(listed.text.split { $0 == "\n" || $0 == "\t" }.map(String.init))
                let compiled = WildPattern(ByteString("*/" + pattern), .crossingSlashes)
                let ours = refs.filter { compiled.matches(ByteString("/" + $0)) }
                #expect(
                    Set(ours) == theirs.filter { $0.hasPrefix("refs/") }, "\(pattern) in \(name)")
                count += ours.count
            }
        }
        #expect(count > 500)
    }

    @Test func branchesMatchAsIncludeIfSays() throws {
        let oracle = try RepositoryOracle()
        try oracle.git("init", "-q", "r")
        try addConditions(oracle) { "onbranch:\($0)" }
        var count = 0
        for branch in Self.branches {
            try oracle.write("r/.git/HEAD", "ref: refs/heads/\(branch)\n")
            count += try compareIncluded(oracle, "r", "branch \(branch)")
        }
        #expect(count > 500)
    }

    /// Of the names of a repository's directory, with case and without.
    @Test(arguments: ["gitdir:", "gitdir/i:"])
    func directoriesMatchAsIncludeIfSays(condition: String) throws {
        let oracle = try RepositoryOracle()
        let names = PatternSamples.paths.filter { !$0.contains("/") && $0.count < 5 }
        try oracle.git("init", "-q", "seed")
        try addConditions(oracle, in: "seed") { "\(condition)\($0)/.git" }
        let config = try oracle.read("seed/.git/config")
        var count = 0
        for name in names {
            try oracle.write("w/\(name)/.git/config", config)
            try oracle.write("w/\(name)/.git/HEAD", "ref: refs/heads/main\n")
            try oracle.write("w/\(name)/.git/refs/x", "")
            try oracle.write("w/\(name)/.git/objects/x", "")
            count += try compareIncluded(oracle, "w/\(name)", name)
        }
        #expect(count > 100)
    }

    /// Adds one conditional include for each sample pattern.
    private func addConditions(
        _ oracle: RepositoryOracle, in repository: String = "r",
        _ condition: (String) -> String
    ) throws {
        var text = ""
        for (number, pattern) in PatternSamples.patterns.enumerated() {
            try oracle.write("c/\(number)", "[hit]\n\tp\(number) = 1\n")
            let escaped = condition(pattern).flatMap { $0 == "\\" ? "\\\\" : String($0) }
            text +=
                "[includeIf \"\(String(escaped))\"]\n\tpath = \(oracle.root)/c/\(number)\n"
        }
        try oracle.write(
            "\(repository)/.git/config", try oracle.text("\(repository)/.git/config") + text)
    }

    /// How many conditions hold, here as in git.
    private func compareIncluded(
        _ oracle: RepositoryOracle, _ repository: String, _ comment: String
    ) throws -> Int {
        let outcome = try oracle.run(["config", "--get-regexp", "^hit\\."], in: repository)
        let theirs = Set(outcome.text.split(separator: "\n").map { $0.prefix { $0 != " " } })
        let config = try Config.load(
            gitDirectory: oracle.path(repository) / ".git", environment: oracle.environment)
        let ours = Set(
            PatternSamples.patterns.indices.map { "hit.p\($0)"[...] }
                .filter { config.string(String($0)) != nil })
        let different = ours.symmetricDifference(theirs).compactMap { Int($0.dropFirst(5)) }
        #expect(different.map { PatternSamples.patterns[$0] } == [], "\(comment)")
        return ours.count
    }
}
