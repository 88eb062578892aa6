import GitCore
import Testing

@testable import GitStore

@Suite struct RepositoryIdentityTests {
    /// Compares with `git var`, which is strict.
    private func compare(_ variables: [String: String], config: String = "") throws {
        let unset = [
            "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL",
        ].map { ($0, RepositoryOracle.unset) }
        let oracle = try RepositoryOracle(
            Dictionary(uniqueKeysWithValues: unset).merging(variables) { $1 })
        try oracle.write("home/.gitconfig", config)
        let loaded = try Config.load(gitDirectory: nil, environment: oracle.environment)
        for role in [Identity.Role.author, .committer] {
            let outcome = try oracle.run(["var", "GIT_\(role.rawValue.uppercased())_IDENT"])
            let ours = try? Identity.current(
                role, config: loaded, environment: oracle.environment, strict: true)
            let theirs = outcome.status == 0 ? ByteString(outcome.text) : nil
            #expect(ours?.encoded == theirs, "of \(variables) \(config): \(outcome.errors)")
        }
    }

    @Test func findsWhoItIsAsGitDoes() throws {
        let user = "[user]\nname = U Ser\nemail = user@example.org\n"
        try compare([:], config: user)
        try compare(["EMAIL": "mail@example.org"])
        try compare(["EMAIL": "mail@example.org"], config: "[user]\nname = U Ser\n")
        try compare(["EMAIL": "mail@example.org"], config: user)
        try compare(["GIT_AUTHOR_NAME": "Au", "GIT_COMMITTER_EMAIL": "c@x"], config: user)
        try compare([:], config: user + "[author]\nname = Au\n[committer]\nemail = c@x\n")
        try compare(["GIT_AUTHOR_NAME": "", "GIT_COMMITTER_EMAIL": ""], config: user)
        try compare(["GIT_AUTHOR_NAME": " ., ", "GIT_COMMITTER_NAME": " <a\nb> "], config: user)
        try compare([:], config: "[user]\nname = \" ,.J. R. <Hacker>; \"\nemail = <j@x>\n")
        try compare([:], config: "[user]\nuseConfigOnly\n")
        try compare(["EMAIL": "m@x"], config: "[user]\nuseConfigOnly\nname = x\n")
        try compare([:], config: user + "[user]\nuseConfigOnly\n")
    }

    @Test func asksWhoItIs() throws {
        let config = Config(try ConfigFile(parsing: Array("[user]\nuseConfigOnly\n".utf8)))
        let error = #expect(throws: StoreError.self) {
            try Identity.current(
                .author, config: config, environment: Environment([:]), strict: true)
        }
        #expect(error?.message.contains("Please tell me who you are") == true)
        let lax = try Identity.current(
            .author, config: config, environment: Environment([:]), strict: false)
        #expect(!lax.mail.isEmpty)
    }

    static let dates = [
        "@0 +0000", "@1 -0130", "1112911993 -0700", "1112911993 +0545", "1112911993", "@1112911993",
        "2005-04-07T22:13:13", "2005-04-07 22:13:13 +0200", "2005-04-07T22:13:13Z",
        "2005-04-07T22:13:13+02:00", "2005-04-07T22:13:13.019 -0500", "2005-04-07 22:13",
        "2005.04.07 22:13:13", "04/07/2005 22:13:13", "07.04.2005 22:13:13",
        "Thu, 07 Apr 2005 22:13:13 +0200", "Thu, 7 Apr 2005 22:13:13 -0000",
        "7 Apr 2005 22:13:13 +0200", "2000-02-29T00:00:00Z", "1999-12-31T23:59:59+0000",
        "2038-01-19T03:14:08Z", "1970-01-01T00:00:00Z", "2096-03-01T00:00:00+1400",
    ]

    @Test(arguments: dates) func readsDatesAsGitDoes(_ text: String) throws {
        for zone in ["UTC", "America/St_Johns"] where zone == "UTC" || text.contains(" +") {
            let oracle = try RepositoryOracle(["GIT_AUTHOR_DATE": text, "TZ": zone])
            let theirs = try oracle.git("var", "GIT_AUTHOR_IDENT").split(separator: ">").last
            // This process's own zone is UTC or what the machine has; only dates with a zone differ.
            let ours = try #require(GitDate(parsing: ByteString(text)))
            #expect(theirs.map { " \(ours.encoded)" == $0 } == true, "\(text) is \(ours.encoded)")
        }
    }

    @Test(arguments: [
        "", "x", "@", "@x", "@1 x", "@1 +0000 x", "-1", "2005", "2005-13-01T00:00:00", "25:00",
        "@-1",
        "2005-04-07T25:00:00", "2005-04-07T22:61", "Thu, 99 Foo 2005 22:13:13", "@1 +9", "1 +0000",
        "99999999999999999999 +0000", "2005-04-07T22:13:13 +0200 x", "2005-04-07T22:13:13Z +0200",
    ]) func refusesDatesThatMakeNoSense(_ text: String) {
        #expect(GitDate(parsing: ByteString(text)) == nil)
    }

    @Test func linesRoundTrip() throws {
        let identity = Identity(
            name: " .J. <R>\nHacker, ", mail: "<j@x>", date: GitDate(seconds: -5, zoneMinutes: -90))
        #expect(identity.encoded == "J. RHacker <j@x> -5 -0130")
        #expect(Identity(parsing: identity.encoded) == identity)
        for line: ByteString in ["", "a", "a <b>", "a <b> 1", "a <b> x +0000", "a >b< 1 +0000"] {
            #expect(Identity(parsing: line) == nil)
        }
    }
}
