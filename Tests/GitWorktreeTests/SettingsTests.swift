import GitCore
import GitStore
import GitWorktree
import Testing

@Suite struct SettingsTests {
    private func settings(
        _ overrides: [(String, ByteString?)], _ variables: [String: ByteString] = [:]
    ) throws -> WorktreeSettings {
        var variables = variables
        variables["GIT_CONFIG_NOSYSTEM"] = "1"
        let environment = Environment(variables)
        let config = try Config.load(
            gitDirectory: nil, overrides: overrides, environment: environment)
        return try WorktreeSettings(config: config, environment: environment)
    }

    @Test func unsetMeansGitsDefaultsAndStrictPaths() throws {
        let settings = try settings([])
        #expect(settings.pathRules == PathRules(protectHFS: true, protectNTFS: true))
        #expect(settings.autoCRLF == .off)
        #expect(settings.eol == .lf)
        #expect(settings.safeCRLF == .warn)
        #expect(settings.hasSymbolicLinks && settings.hasFileMode)
        #expect(settings.attributesFiles == ["/etc/gitattributes"])
    }

    @Test func valuesAreReadAsGitReadsThem() throws {
        let set = try settings(
            [
                ("core.autocrlf", "Input"), ("core.eol", "CRLF"), ("core.safecrlf", "true"),
                ("core.symlinks", "no"), ("core.fileMode", "0"), ("core.protectHFS", "off"),
                ("core.protectNTFS", "false"), ("core.attributesFile", "~/attributes"),
            ], ["HOME": "/home/me", "GIT_ATTR_NOSYSTEM": "1"])
        #expect(set.autoCRLF == .input)
        #expect(set.eol == .crlf)
        #expect(set.safeCRLF == .fail)
        #expect(!set.hasSymbolicLinks && !set.hasFileMode)
        #expect(set.pathRules == PathRules(protectHFS: false, protectNTFS: false))
        #expect(set.attributesFiles == ["/home/me/attributes"])
        #expect(try settings([("core.autocrlf", nil)]).autoCRLF == .on)
        #expect(try settings([("core.safecrlf", "false")]).safeCRLF == .off)
        #expect(throws: WorktreeError.self) { try settings([("core.symlinks", "perhaps")]) }
    }

    @Test func theUsersAttributesFileIsFoundWhereGitLooks() throws {
        #expect(
            try settings([], ["HOME": "/home/me"]).attributesFiles.first
                == "/home/me/.config/git/attributes")
        #expect(
            try settings([], ["HOME": "/home/me", "XDG_CONFIG_HOME": "/xdg"]).attributesFiles.first
                == "/xdg/git/attributes")
    }
}
