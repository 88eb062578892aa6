package import GitCore
import Synchronization

/// Something wrong with an object of a pack.
package struct FoundFault: Sendable {
    package let oid: ObjectID
    package let kind: ObjectKind
    package let fault: ObjectFault
    package let isError: Bool
}

extension Quarantine {
    /// Most faults that are told of; one that is refused is noticed all the same.
    private static let mostFaults = 1_000

    /// Refuses a pack that was put here if an object of it is malformed.
    ///
    /// - Parameter reporting: is told of faults, in the order of the pack.
    package func check(
        _ pack: IndexedPack, _ policy: FaultPolicy = FaultPolicy(),
        threads: Int = Workers.processorCount, reporting: (FoundFault) -> Void
    ) throws(StoreError) {
        var found = try findFaults(pack, policy, threads: threads)
        let checker = ObjectChecker(database.format, strict: true)
        for oid in found.submodules.sorted() {
            try cancellation.check()
            found.add(try checker.checkSubmodules(oid, in: database), oid, .blob, .max, policy)
        }
        for (_, fault) in found.faults.sorted(by: { $0.row < $1.row }) { reporting(fault) }
        if let first = found.first?.fault {
            throw StoreError(
                .corrupt,
                "object \(first.oid) is malformed: \(first.fault.id): \(first.fault.message)")
        }
    }

    /// Refuses a pack of which an object points to one that is neither in it nor in the repository.
    package func checkLinks(of pack: IndexedPack) throws(StoreError) {
        for oid in pack.missingLinks where try !database.contains(oid) {
            throw StoreError(.corrupt, "object \(oid), which the pack points to, is missing")
        }
    }

    private struct Findings {
        var faults: [(row: Int, fault: FoundFault)] = []
        /// The first that is refused.
        var first: (row: Int, fault: FoundFault)?
        var submodules: Set<ObjectID> = []

        mutating func add(
            _ new: [ObjectFault], _ oid: ObjectID, _ kind: ObjectKind, _ row: Int,
            _ policy: FaultPolicy
        ) {
            for fault in new {
                let treatment = policy.treatment(of: fault, in: oid)
                if treatment == .ignored { continue }
                let found = FoundFault(
                    oid: oid, kind: kind, fault: fault, isError: treatment == .refused)
                if found.isError, row < first?.row ?? .max || first == nil { first = (row, found) }
                if faults.count < Quarantine.mostFaults { faults.append((row, found)) }
            }
        }
    }

    private func findFaults(
        _ pack: IndexedPack, _ policy: FaultPolicy, threads: Int
    ) throws(StoreError) -> Findings {
        let incoming = try ObjectDatabase(objectsDirectory: directory, format: database.format)
        let checker = ObjectChecker(database.format, strict: true)
        let findings = Mutex(Findings())
        let rows = PackRows(pack)
        // One that has little to do is not worth a second thread.
        let threads = pack.objectCount < Self.fewObjects ? 1 : threads
        try incoming.forEachStretch(threads: threads) { [cancellation] stretch in
            var submodules: Set<ObjectID> = []
            try stretch.forEach { stored in
                try cancellation.check()
                // A blob of gigabytes need not be read: there is nothing to check.
                let kind = try stored.header().kind
                if kind == .blob { return }
                var content: [UInt8] = []
                try stored.content { try $0.forEachPiece { content += $0 } }
                let object = GitObject(kind: kind, content: content)
                let faults = checker.check(object, &submodules)
                guard !faults.isEmpty else { return }
                let row = rows.row(of: stored.oid)
                findings.withLock { $0.add(faults, stored.oid, object.kind, row, policy) }
            }
            if !submodules.isEmpty { findings.withLock { $0.submodules.formUnion(submodules) } }
        }
        return findings.withLock { $0 }
    }

    private static let fewObjects = 1_000

    /// Tells several threads where objects are in a pack.
    private struct PackRows: @unchecked Sendable {
        // SAFETY: what is read of an indexed pack is constant.
        private let pack: IndexedPack

        init(_ pack: IndexedPack) { self.pack = pack }

        func row(of oid: ObjectID) -> Int { pack.row(of: oid) ?? .max }
    }
}
