import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

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

    /// What was there of a download that broke off is not sent again, though the object is still on its way.
    @Test func aDownloadIsTakenUpAgain() throws {
        let object = try LFSUpstream.Object([UInt8](repeating: 0x61, count: 3 << 20))
        let server = try LFSUpstream([object])
        let gate = CacheLFSTests.Gate()
        server.change {
            $0.answer = { call in
                call.write(
                    Array("HTTP/1.1 200 So\r\nContent-Length: \(object.bytes.count)\r\n\r\n".utf8))
                call.write(Array(object.bytes.prefix(2 << 20)))
                gate.wait()
                return call.write(Array(object.bytes.dropFirst(2 << 20)))
            }
        }
        let folder = try TemporaryDirectory()
        let other = try ChildProcess(
            "curl",
            ["-sSf", "-o", folder("other"), server.pair.cache.http + server.place("bert")])
        #expect(eventually { (readFile(folder("other"))?.count ?? 0) > 1 << 20 })

        let environment = try environment("anna", server, folder)
        try Git.run(["init", "-q", folder.path])
        try folder.write(".gitattributes", "*.bin filter=lfs\n".utf8)
        try folder.write(
            "a.bin",
            "version https://git-lfs.github.com/spec/v1\noid sha256:\(object.oid)\nsize \(3 << 20)\n"
                .utf8)
        try Git.run(["add", "-A", "a.bin", ".gitattributes"], in: folder.path)
        try Git.run(["commit", "-qm", "pointer"], in: folder.path)
        try run("mkdir", ["-p", folder(".git/lfs/incomplete")]).required()
        try folder.write(
            ".git/lfs/incomplete/\(object.oid).part", object.bytes.prefix(1 << 20))
        let pull = try ChildProcess(
            "git", ["lfs", "pull"], environment: environment, directory: folder.path)
        usleep(500_000)
        gate.open()
        #expect(try pull.wait().succeeded)
        let isRight = readFile(folder("a.bin")) == object.bytes
        #expect(isRight)
        #expect(try other.wait().succeeded)
        #expect(server.fetched.count == 1)
        // The one that followed got what it lacked.
        _ = try server.noted(2)
        let sent = try server.pair.cache.requests().filter { $0.contains("/apus/") }
        #expect(
            sent.contains { $0.contains("\"status\":206") && $0.contains("\(2 << 20)") }, "\(sent)")
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
