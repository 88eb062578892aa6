import GitCore

/// The subcommands, in the order in which `apus help` lists them.
enum Commands {
    static let groups: [(title: String, commands: [any Command.Type])] = [
        ("start a repository", [CloneCommand.self, Init.self]),
        (
            "ask a server, be one",
            [CacheCommand.self, FetchCommand.self, LsRemoteCommand.self, Serve.self]
        ),
        (
            "look into a repository",
            [RevParse.self, ShowRef.self, ForEachRef.self, CatFile.self, ListTree.self]
        ),
        (
            "make objects",
            [HashObject.self, UpdateIndex.self, WriteTree.self, CommitTree.self]
        ),
        (
            "check a repository, work on packs",
            [
                CommitGraphCommand.self, Fsck.self, IndexPack.self, MultiPackIndexCommand.self,
                PackObjects.self, Repack.self, UnpackObjects.self, VerifyPack.self,
            ]
        ),
        ("about apus", [Help.self, Version.self]),
    ]

    /// Those that are named by two words.
    private static let pairs: [any Command.Type] = [
        CachePurgeCommand.self, CacheStatusCommand.self, CacheVerifyCommand.self,
        CacheWarmCommand.self,
    ]

    /// The command that the words begin with, and what follows its name.
    static func find(
        _ words: [ByteString]
    ) -> (command: any Command.Type, rest: [ByteString])? {
        let two = words.prefix(2).reduce("") { $0.isEmpty ? $1 : $0 + " " + $1 }
        if let command = pairs.first(where: { ByteString($0.name) == two }) {
            return (command, Array(words.dropFirst(2)))
        }
        guard let command = words.first.flatMap(named) else { return nil }
        return (command, Array(words.dropFirst()))
    }

    static func named(_ name: ByteString) -> (any Command.Type)? {
        groups.lazy.flatMap(\.commands).first { ByteString($0.name) == name }
    }
}
