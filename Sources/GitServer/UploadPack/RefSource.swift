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
    /// - Parameter isPlain: whether all that these lead to is asked for, by who has nothing of it.
    func deciding(
        on wants: [ObjectID], _ names: [RefName], isPlain: Bool
    ) throws -> ShownRefs
}

/// The repository's own.
struct OwnRefs: RefSource {
    let repository: Repository
    let hidden: HiddenRefs

    var hidesObjects: Bool { !hidden.isEmpty }

    func listed(_ prefixes: [ByteString]) throws -> ShownRefs {
        try ShownRefs(repository, hidden, prefixes: prefixes)
    }

    func deciding(
        on wants: [ObjectID], _ names: [RefName], isPlain: Bool
    ) throws -> ShownRefs {
        try listed([])
    }
}
