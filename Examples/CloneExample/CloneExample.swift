// Lists the tags of a repository, then clones it:
//
//     swift run CloneExample https://example.org/project.git directory

import GitClient
import GitCore

@main
enum CloneExample {
    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst().map { ByteString($0) }
        guard arguments.count == 2 else { return print("usage: CloneExample <url> <directory>") }
        try await listTags(arguments[0])
        do {
            try await clone(arguments[0], to: arguments[1])
        } catch let error as ClientError where error.code == .invalid {
            print("choose another directory: \(error)")
        }
    }

    static func listTags(_ url: ByteString) async throws {
        let answer = try await LsRemote(url).refs(prefixes: ["refs/tags/"])
        for tag in answer.refs { print(tag.peeled ?? tag.oid, tag.name.short) }
    }

    static func clone(_ url: ByteString, to directory: ByteString) async throws {
        let clone = try Clone(url, to: directory)
        let watching = Task {
            for await event in clone.progress {
                if case .phase(let phase, let done, let total, _) = event {
                    print(phase, done, "of", total)
                }
            }
        }
        let result = try await clone.run()
        await watching.value
        print("\(result.objectCount) objects in \(result.gitDirectory)")
    }
}
