package import GitCore
internal import GitStore

/// Where upload-pack learns which refs its client may see.
package protocol RefSource: Sendable {
    /// Whether the repository holds objects that these refs do not lead to: then nothing is told of an object,
    /// not even that it is there, before it is known that they do.
    var hidesObjects: Bool { get }
    /// The refs whose names begin with one of `prefixes`, or more; all where there are none.
    func listed(_ prefixes: [ByteString]) throws -> ShownRefs
    /// The refs by which it is decided whether a client may have these objects and refs.
    ///
    func deciding(on question: WantQuestion) throws -> ShownRefs
}

/// What a request needs to have decided.
package struct WantQuestion: Sendable {
    /// The objects that are asked for by their ids.
    package let wants: [ObjectID]
    /// The refs that are asked for by their names.
    package var names: [RefName] = []
    /// Whether all that these lead to is asked for, by who has nothing of it.
    package var isPlain = false
    /// Whether other refs change the answer, too.
    package var needsAllRefs = false
    /// Of what the command `fetch` of version 2 may be able to do (`shallow`, `filter`, …), what is asked for;
    /// nil where it is another command, or version.
    package var features: [ByteString]?
}

/// The repository's own.
struct OwnRefs: RefSource {
    let repository: Repository
    let hidden: HiddenRefs

    var hidesObjects: Bool { !hidden.isEmpty }

    func listed(_ prefixes: [ByteString]) throws -> ShownRefs {
        try ShownRefs(repository, hidden, prefixes: prefixes)
    }

    func deciding(on question: WantQuestion) throws -> ShownRefs { try listed([]) }
}
