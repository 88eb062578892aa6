public import GitCore

/// Changes of refs that happen all together or not at all; see ``RefStore/update(_:)``.
public struct RefTransaction: Sendable {
    /// What a ref must hold, looked at under its lock, for the change to go on.
    public enum Expectation: Hashable, Sendable {
        /// Anything or nothing.
        case any
        /// Nothing: the ref must be new.
        case missing
        /// This object, directly or through symbolic refs.
        case oid(ObjectID)
    }

    /// How far a transaction is, for who observes it.
    public enum Phase: String, Sendable {
        /// All refs are locked, and nothing is in the way.
        case prepared
        /// All refs are changed.
        case committed
        /// Nothing is changed, for the observer refused.
        case aborted
    }

    /// Is told of a transaction's phases; what it throws at the first refuses it.
    public typealias Observer = (Phase, [RefChange]) throws(StoreError) -> Void

    enum Action: Hashable, Sendable {
        case update(ObjectID)
        case symbolic(RefName)
        case delete
        case verify
        /// Only a line in the log: of a symbolic ref whose target changes.
        case log
    }

    struct Change: Sendable {
        let name: RefName
        let action: Action
        let expected: Expectation
        let message: ByteString?
        let followsSymbolic: Bool

        func renamed(_ name: RefName, followsSymbolic: Bool) -> Change {
            Change(
                name: name, action: action, expected: expected, message: message,
                followsSymbolic: followsSymbolic)
        }
    }

    private(set) var changes: [Change] = []
    let committer: Identity?
    let message: ByteString

    /// - Parameters:
    ///   - committer: who stands in the reflogs; nil for no reflogs.
    ///   - message: what stands there for changes without a message of their own.
    public init(committer: Identity? = nil, message: ByteString = "") {
        self.committer = committer
        self.message = message
    }

    /// Makes the ref hold `oid`, new or not.
    ///
    /// - Parameter followingSymbolic: where the ref is symbolic, change the one it leads to, which may
    ///   have to be made (a commit through HEAD); otherwise the ref itself comes to hold `oid`.
    public mutating func update(
        _ name: RefName, to oid: ObjectID, expecting expected: Expectation = .any,
        followingSymbolic: Bool = false, message: ByteString? = nil
    ) {
        changes.append(
            Change(
                name: name, action: .update(oid), expected: expected, message: message,
                followsSymbolic: followingSymbolic))
    }

    /// Makes the ref a symbolic one. `target` need not exist.
    public mutating func setSymbolic(
        _ name: RefName, to target: RefName, expecting expected: Expectation = .any,
        message: ByteString? = nil
    ) {
        append(name, .symbolic(target), expected, message)
    }

    /// Removes the ref, if it is there. Its reflog goes too.
    ///
    /// - Parameter followingSymbolic: where the ref is symbolic, remove the one that it leads to;
    ///   otherwise the ref itself goes.
    public mutating func delete(
        _ name: RefName, expecting expected: Expectation = .any, followingSymbolic: Bool = false,
        message: ByteString? = nil
    ) {
        changes.append(
            Change(
                name: name, action: .delete, expected: expected, message: message,
                followsSymbolic: followingSymbolic))
    }

    /// Changes nothing, but lets the rest happen only if the ref holds what is expected.
    public mutating func verify(_ name: RefName, expecting expected: Expectation) {
        append(name, .verify, expected, nil)
    }

    public var isEmpty: Bool { changes.isEmpty }

    private mutating func append(
        _ name: RefName, _ action: Action, _ expected: Expectation, _ message: ByteString?
    ) {
        changes.append(
            Change(
                name: name, action: action, expected: expected, message: message,
                followsSymbolic: false))
    }
}
