import GitCore

/// Which refs a transaction locks, before any is.
struct RefPlan {
    struct Step {
        let change: RefTransaction.Change
        /// What a symbolic ref that is followed was seen to lead to.
        let target: RefName?
    }

    /// The changes by name, symbolic refs followed, with those that are only logged.
    private(set) var steps: [Step] = []

    private let store: RefStore
    private let transaction: RefTransaction

    /// - Throws: ``StoreError/Code/invalid``, ``StoreError/Code/conflict`` for changes that cannot be together.
    init(_ store: RefStore, _ transaction: RefTransaction) throws(StoreError) {
        self.store = store
        self.transaction = transaction
        for change in transaction.changes {
            try refuseInvalid(change)
            var change = change
            while change.followsSymbolic, case .symbolic(let target)? = try store.read(change.name)
            {
                guard steps.count <= transaction.changes.count * RefStore.maximumSymbolicDepth
                else { throw StoreError(.corrupt, "symbolic refs lead in a circle") }
                steps.append(Step(change: logOnly(change, change.name), target: target))
                change = RefTransaction.Change(
                    name: target, action: change.action, expected: change.expected,
                    message: change.message, followsSymbolic: true)
            }
            steps.append(Step(change: change, target: nil))
        }
        addHead()
        steps.sort { $0.change.name < $1.change.name }
        try RefDirectories.refuseConflicts(amongSorted: steps.map(\.change.name))
    }

    private func logOnly(
        _ change: RefTransaction.Change, _ name: RefName
    ) -> RefTransaction.Change {
        RefTransaction.Change(
            name: name, action: .log, expected: .any, message: change.message,
            followsSymbolic: false)
    }

    /// What happens to the branch that HEAD is on stands in HEAD's log too.
    private mutating func addHead() {
        guard transaction.committer != nil, !steps.contains(where: { $0.change.name == .head }),
            let head = try? store.read(.head), case .symbolic(let branch) = head,
            let change = steps.first(where: { $0.change.name == branch })?.change
        else { return }
        switch change.action {
        case .update, .delete: steps.append(Step(change: logOnly(change, .head), target: branch))
        case .symbolic, .verify, .log: break
        }
    }

    private func refuseInvalid(_ change: RefTransaction.Change) throws(StoreError) {
        switch change.action {
        case .delete where change.name == .head:
            throw StoreError(.invalid, "HEAD cannot be deleted")
        case .symbolic(let target):
            guard target.bytes.hasPrefix("refs/"), target != change.name else {
                throw StoreError(.invalid, "'\(change.name)' cannot lead to '\(target)'")
            }
        case .update(let oid): try refuseInvalid(oid, for: change.name)
        case .delete, .verify, .log: break
        }
    }

    private func refuseInvalid(_ oid: ObjectID, for name: RefName) throws(StoreError) {
        guard oid.format == store.format, !oid.isZero, let target = try store.inspect(oid) else {
            throw StoreError(
                .invalid, "trying to write ref '\(name)' with nonexistent object \(oid)")
        }
        guard target.kind == .commit || !name.bytes.hasPrefix("refs/heads/") else {
            throw StoreError(
                .invalid, "trying to write non-commit object \(oid) to branch '\(name)'")
        }
    }
}
