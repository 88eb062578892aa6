import TestSupport
import Testing

/// `apus fsck` says of malformed objects what `git fsck` says, message by message.
@Suite(.timeLimit(.minutes(10))) struct CommandFsckTests {
    private static let setUp = #"""
        set -e
        git init -q -b main .
        blob=$(echo hi | git hash-object -w --stdin)
        empty=$(git mktree </dev/null)
        zero=0000000000000000000000000000000000000000
        # MODE NAME OID ...
        tree() {
            while [ $# -gt 0 ]; do
                printf '%s %s\0' "$1" "$2"
                printf "$(echo "$3" | sed 's/../\\x&/g')"
                shift 3
            done | git hash-object -w -t tree --literally --stdin
        }
        commit() { printf "$@" | git hash-object -w -t commit --literally --stdin; }
        tag() { printf "$@" | git hash-object -w -t tag --literally --stdin; }
        T="tree $empty\n" A='author a <b> 1 +0000\n' C='committer a <b> 1 +0000\n\nx'
        O="object $empty\n" Y='type tree\n' N='tag x\n' G='tagger a <b> 1 +0000\n'
        """#

    @Test(
        arguments: [
            "tree 100644 b $blob 100644 a $blob", "tree 100644 a $blob 100644 a $blob",
            "tree 100644 a $blob 100644 a-b $blob 40000 a $empty", "tree 0100644 a $blob",
            "tree 100644 .git $blob", "tree 40000 .GIT $empty", "tree 100644 'git~1' $blob",
            #"tree 100644 'a\.git' $blob"#, "tree 100644 . $blob", "tree 100644 .. $blob",
            "tree 100644 a/b $blob", "tree 120000 .gitmodules $blob",
            "tree 120000 'gitmod~1' $blob", "tree 120000 'GI7EBA~9' $blob",
            "tree 120000 .gitattributes $blob", "tree 120000 'gi7d29~1' $blob",
            "tree 120000 .gitignore $blob", "tree 120000 .mailmap $blob",
            "tree 100664 a $blob", "tree 100777 a $blob", "tree 100644 .gitmodules $blob",
            #"commit "$T$A$C""#, #"commit "${T}author a b> 1 +0000\n$C""#,
            #"commit "${T}author <b> 1 +0000\n$C""#, #"commit "${T}author a b 1 +0000\n$C""#,
            #"commit "${T}author a<b> 1 +0000\n$C""#, #"commit "${T}author a <b 1 +0000\n$C""#,
            #"commit "${T}author a <b>1 +0000\n$C""#, #"commit "${T}author a <b> 01 +0000\n$C""#,
            #"commit "${T}author a <b> 99999999999999999999 +0000\n$C""#,
            #"commit "${T}author a <b> 9223372036854775807 +0000\n$C""#,
            #"commit "${T}author a <b> 9223372036854775808 +0000\n$C""#,
            #"commit "${T}author a <b> x +0000\n$C""#, #"commit "${T}author a <b> 1 0000\n$C""#,
            #"commit "${T}author a <b> 0  +0000\n$C""#, #"commit "${T}author a <b> 0 +0000\n$C""#,
            #"commit "$T$C""#, #"commit "$T$A$A$C""#, #"commit "$T$A\nx""#, #"commit "$T$A""#,
            #"commit "$T${A}committer a <b> 1 +00001\n\n""#, #"commit "$T$A$C\0y""#,
            #"commit "${T}author a\0 <b> 1 +0000\n$C""#, #"tag "$O$Y$N$G\nm""#, #"tag "$O$Y$N\nm""#,
            #"tag "$O${Y}tag x y\ntagger a <b 1 +0000\n\nm""#, #"tag "$O$Y$N${G}foo\n""#,
        ])
    func saysWhatGitSays(object: String) throws {
        let scratch = try TemporaryDirectory()
        try run(
            "/bin/bash", ["-c", Self.setUp + "\n" + object], directory: scratch.path
        ).required()
        for options in [[], ["--strict"], ["--unreachable"], ["--root", "--tags"]] {
            let apus = try Apus.run(["fsck"] + options, in: scratch.path)
            let git = try Git.attempt(["fsck"] + options, in: scratch.path)
            #expect(apus.exit == git.exit, "\(options) \(object)")
            #expect(lines(apus.out) == lines(git.out), "\(options) \(object)")
            #expect(lines(apus.err) == lines(git.err), "\(options) \(object)")
        }
    }

    @Test(
        arguments: [
            "remove HEAD:f", "remove HEAD^{tree}", "remove HEAD~1", "remove v1",
            "remove HEAD:f && remove HEAD~2^{tree}",
            "echo 1234567890123456789012345678901234567890 >.git/refs/heads/lost",
            "git rev-parse HEAD^{tree} >.git/refs/heads/tree", "git checkout -q --orphan new",
            "git rm -q --cached f", "git reset -q --hard HEAD~1",
            "git reset -q --hard HEAD~1 && rm -r .git/logs", "rm -r .git/refs/heads",
        ])
    func followsLinksAsGitDoes(damage: String) throws {
        let scratch = try TemporaryDirectory()
        let script = """
            set -e
            git init -q -b main . && git config user.name A && git config user.email a@b
            for n in 1 2 3; do echo $n >f; git add f; git commit -q -m $n; done
            git tag -a -m t v1 HEAD~1
            remove() { rm -f .git/objects/$(git rev-parse "$1" | sed 's,^..,&/,'); }
            """
        try run("/bin/bash", ["-c", script + "\n" + damage], directory: scratch.path).required()
        for options in [
            [], ["--unreachable"], ["--no-reflogs"], ["--connectivity-only"], ["--no-dangling"],
            ["--root"], ["--tags"], ["HEAD"], ["--cache", "HEAD"], ["--no-full"],
        ] {
            let apus = try Apus.run(["fsck"] + options, in: scratch.path)
            let git = try Git.attempt(["fsck"] + options, in: scratch.path)
            #expect(apus.exit == git.exit, "\(options) \(apus.err) \(git.err)")
            #expect(lines(apus.out) == lines(git.out), "\(options)")
            #expect(lines(apus.err) == lines(git.err), "\(options)")
        }
    }

    /// An object that links call by a kind that it is not, whichever link comes first.
    @Test(
        arguments: [
            #"main $(commit "tree $blob\n$A$C")"#, #"main $(commit "${T}parent $empty\n$A$C")"#,
            #"main $(commit "tree $(tree 40000 d $blob)\n$A$C")"#,
            #"main $(commit "tree $(tree 100644 d $empty)\n$A$C")"#,
            #"main $(commit "tree $(tree 100644 d $empty 40000 e $empty)\n$A$C")"#,
            #"main $(commit "tree $(tree 40000 d $empty 100644 e $empty)\n$A$C")"#,
            #"main $(commit "$T$A$C"); tag "object $(git rev-parse main)\n$Y$N$G\nm" >.git/refs/tags/t"#,
            #"main $(commit "$T$A$C"); echo nonsense >.git/refs/heads/other"#,
        ], [false, true])
    func failsWhereGitDoes(damage: String, isPacked: Bool) throws {
        let scratch = try TemporaryDirectory()
        let main = #"main() { echo "$1" >.git/refs/heads/main; }"#
        let pack = #"""
            find .git/objects/?? -type f | sed 's,.*/\(..\)/,\1,' |
                git pack-objects -q .git/objects/pack/pack >/dev/null
            git prune-packed
            """#
        let script = [Self.setUp, main, damage] + (isPacked ? [pack] : [])
        try run(
            "/bin/bash", ["-c", script.joined(separator: "\n")], directory: scratch.path
        ).required()
        let apus = try Apus.run(["fsck"], in: scratch.path)
        #expect(try Git.attempt(["fsck"], in: scratch.path).exit != .code(0))
        #expect(apus.exit != .code(0), "\(apus.err)")
        #expect(apus.err.contains("error: "), "\(apus.err)")
    }

    private func lines(_ text: String) -> [String] {
        text.split(separator: "\n").map(String.init).sorted()
    }
}
