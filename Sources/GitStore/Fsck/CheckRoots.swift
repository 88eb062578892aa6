import GitCore

/// Where a check begins: at refs, reflogs, the index, or what it is given in their place.
extension CheckRun {
    mutating func begin() throws(StoreError) {
        if let heads = options.heads {
            for oid in heads { beginAt(oid, "\(oid)") }
        } else {
            try beginAtRefs()
        }
        for root in options.extraRoots {
            let number = graph.number(of: root.oid)
            if !graph.has(.present, number) { graph.setKind(root.kind, number) }
            graph.set(.used, number)
            reach(number)
        }
        for oid in options.cachedTrees {
            let number = graph.number(of: oid)
            if graph.has(.present, number) {
                graph.set(.used, number)
                reach(number)
            } else {
                report(.unusable("\(oid): invalid sha1 pointer in cache-tree"))
                verdict.insert(.refs)
            }
        }
    }

    private mutating func beginAtRefs() throws(StoreError) {
        try beginAtHead()
        var broken: [BrokenRef] = []
        let refs = try repository.refs.list(prefix: "refs/", peeling: false) { broken.append($0) }
        for ref in broken {
            report(.unusable(ref.reason))
            verdict.insert(.connectivity)
        }
        for ref in refs { beginAt(ref.oid, "\(ref.name)", isBranch: ref.name.isBranch) }
        if !hasRoots { report(.noRefs) }
        if options.usesReflogs {
            for name in [RefName.head] + refs.map(\.name) { try beginAtReflog(name) }
        }
    }

    private mutating func beginAtHead() throws(StoreError) {
        do throws(StoreError) {
            if let head = try repository.refs.resolve(.head) { return beginAt(head.oid, "HEAD") }
            if case .symbolic(let branch) = try repository.refs.read(.head) {
                report(.unbornHead(branch))
            }
        } catch {
            try refuse(error, .connectivity)
        }
    }

    private mutating func beginAt(_ oid: ObjectID, _ name: String, isBranch: Bool = false) {
        hasRoots = true
        let number = graph.number(of: oid)
        guard graph.has(.present, number) else {
            report(.unusable("\(name): invalid sha1 pointer \(oid)"))
            verdict.insert(.connectivity)
            return
        }
        if isBranch, let kind = try? storedKind(number), kind != .commit {
            report(.unusable("\(name): not a commit"))
            verdict.insert(.refs)
        }
        graph.set(.used, number)
        reach(number)
    }

    private mutating func beginAtReflog(_ name: RefName) throws(StoreError) {
        for entry in try repository.refs.reflog(name) {
            for oid in [entry.old, entry.new] where !oid.isZero {
                let number = graph.number(of: oid)
                guard graph.has(.present, number) else {
                    report(.unusable("\(name): invalid reflog entry \(oid)"))
                    verdict.insert(.connectivity)
                    continue
                }
                graph.set(.used, number)
                reach(number)
            }
        }
    }
}

extension RefName {
    fileprivate var isBranch: Bool { bytes.hasPrefix("refs/heads/") }
}
