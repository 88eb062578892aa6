import TestSupport
import Testing

private let hasClient = (try? Git.attempt(["lfs", "version"]))?.succeeded == true

/// Stock git-lfs through `apus cache`.
@Suite(.timeLimit(.minutes(10)), .enabled(if: hasClient, "git-lfs is not installed"))
struct CacheLFSClientTests {
    @Test(arguments: [false, true]) func objectsComeThroughTheCache(isSmudging: Bool) throws {
        let large = [UInt8](repeating: 0x61, count: 3 << 20)
        let server = try LFSUpstream([.init("one"), .init("two"), .init(large)])
        for (user, kind, count) in [("anna", "made", 3), ("bert", "hit", 6)] {
            let folder = try TemporaryDirectory()
            let environment = try environment(user, server, folder)
            try Git.run(["init", "-q", folder.path])
            try folder.write(".gitattributes", "*.bin filter=lfs\n".utf8)
            for (number, object) in server.objects.enumerated() {
                let pointer = """
                    version https://git-lfs.github.com/spec/v1
                    oid sha256:\(object.oid)
                    size \(object.bytes.count)\n
                    """
                try folder.write("\(number).bin", pointer.utf8)
            }
            try Git.run(["add", "-A"], in: folder.path)
            try Git.run(["commit", "-qm", "pointers"], in: folder.path)
            let words =
                isSmudging ? ["checkout", "-f", "HEAD", "--", "."] : ["lfs", "pull"]
            if isSmudging { try run("sh", ["-c", "rm *.bin"], directory: folder.path).required() }
            let pulled = try Git.attempt(words, in: folder.path, environment: environment)
            #expect(pulled.succeeded, "\(pulled)")
            for (number, object) in server.objects.enumerated() {
                #expect(readFile(folder("\(number).bin")) == object.bytes, "\(user), \(number)")
            }
            #expect(try server.noted(count).dropFirst(count - 3) == [kind, kind, kind])
        }
        #expect(server.fetched.count == 3)
    }

    /// Logs in by a credential helper when it is asked to, as it does without the cache.
    private func environment(
        _ user: String, _ server: LFSUpstream, _ folder: TemporaryDirectory
    ) throws -> [String: String] {
        configuration([
            ("remote.origin.url", "http://forge.test/x.git"),
            ("url.\(server.pair.cache.http)/up/.insteadOf", "http://forge.test/"),
            ("credential.helper", "!f() { echo username=\(user); echo password=x; }; f"),
            ("lfs.transfer.maxretries", "1"), ("filter.lfs.required", "true"),
            ("filter.lfs.process", "git-lfs filter-process"),
            ("filter.lfs.smudge", "git-lfs smudge -- %f"),
            ("filter.lfs.clean", "git-lfs clean -- %f"),
        ])
    }
}
