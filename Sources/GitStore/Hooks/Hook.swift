public import GitCore

/// A program of a repository's owner that is run at a certain moment (githooks).
public enum Hook: Sendable {
    /// Before any of the changes is made: all of them, a line each on standard input. May refuse all.
    case preReceive([RefChange])
    /// Before one change is made: name, old and new value as arguments. May refuse it.
    case update(RefChange)
    /// In the course of a transaction of refs: the phase as argument, the changes on standard input.
    case referenceTransaction(RefTransaction.Phase, [RefChange])
    /// After all is done: the changes that were made, on standard input.
    case postReceive([RefChange])
    /// After all is done: the names of the refs that changed, as arguments.
    case postUpdate([ByteString])

    /// The name of its file.
    public var name: ByteString {
        switch self {
        case .preReceive: "pre-receive"
        case .update: "update"
        case .referenceTransaction: "reference-transaction"
        case .postReceive: "post-receive"
        case .postUpdate: "post-update"
        }
    }

    /// After its own name.
    var arguments: [ByteString] {
        switch self {
        case .preReceive, .postReceive: []
        case .update(let change):
            [change.name, ByteString(change.old.hexBytes), ByteString(change.new.hexBytes)]
        case .referenceTransaction(let phase, _): [ByteString(phase.rawValue)]
        case .postUpdate(let names): names
        }
    }

    /// nil for a hook that is given none.
    var input: [UInt8]? {
        switch self {
        case .preReceive(let changes), .postReceive(let changes),
            .referenceTransaction(_, let changes):
            changes.flatMap(\.line)
        case .update, .postUpdate: nil
        }
    }

    /// The names of refs that it is told.
    var names: [ByteString] {
        switch self {
        case .preReceive(let changes), .postReceive(let changes),
            .referenceTransaction(_, let changes):
            changes.map(\.name)
        case .update(let change): [change.name]
        case .postUpdate(let names): names
        }
    }

    var isToldPushOptions: Bool {
        switch self {
        case .preReceive, .postReceive: true
        case .update, .referenceTransaction, .postUpdate: false
        }
    }
}
