import Foundation
import GitCore
import Testing

@testable import GitStore

/// Objects as git wrote them, read back; and what is written here, read by git.
@Suite struct ObjectDatabaseTests {
    let scratch: PackScratch
    init() throws { scratch = try PackScratch() }

    func open(_ repository: String = "r", _ format: ObjectFormat = .sha1) throws -> ObjectDatabase {
        try ObjectDatabase(
            objectsDirectory: scratch[repository + "/objects"], format: format)
    }

    /// Installs a pack of a long base and a delta on it, both told apart by `name`.
    private func installDelta(_ name: String) throws -> ObjectID {
        let base = String(repeating: "base of \(name) ", count: 100)
        var pack = PackBuilder()
        pack.delta(on: pack.blob(base), DeltaBuilder.appending(name, to: base.utf8.count))
        try scratch.index(pack.finished()).install(in: scratch["r/objects/pack"])
        return oid(blob: base + name)
    }

    /// The bases of deltas are cached; a pack that takes the place of another must not be answered
    /// from what was cached of that.
    @Test func packsThatComeAndGoDoNotShareCachedBases() throws {
        try scratch.createRepository()
        let store = try open()
        for number in 0 ..< 20 {
            let delta = try installDelta(String(100 + number))
            try store.refresh()
            let object = try store.read(delta)
            #expect(oid(.blob, object.content) == delta)
            for name in try scratch.list("r/objects/pack") {
                try FileSystem.remove(scratch["r/objects/pack/" + name])
            }
            try store.refresh()
        }
    }
}
