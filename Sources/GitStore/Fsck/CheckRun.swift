import GitCore

/// One check on its way.
struct CheckRun {
    let options: RepositoryCheck
    let repository: Repository
    let objects: ObjectDatabase
    private let checker: ObjectChecker
    let report: (RepositoryFinding) -> Void
    var graph: ObjectGraph
    /// Objects that are reached but not looked at yet.
    private var pending: [Int] = []
    var verdict: RepositoryVerdict = []
    /// Blobs that some tree calls `.gitmodules`.
    private var submodules: Set<ObjectID> = []
    /// False where there was nothing to begin from: then nothing counts as unreachable.
    var hasRoots = false

    init(
        _ options: RepositoryCheck, _ repository: Repository,
        _ report: @escaping (RepositoryFinding) -> Void
    ) throws(StoreError) {
        self.options = options
        self.repository = repository
        self.report = report
        objects = repository.objects
        checker = ObjectChecker(repository.format, strict: options.isStrict)
        graph = ObjectGraph(try objects.allObjectIDs())
    }

    // MARK: Files

    /// Holds every loose object and every pack against its name.
    mutating func checkStores() throws(StoreError) {
        for store in options.isFull ? objects.stores : [objects] {
            try checkLoose(store.loose)
            guard options.isFull else { continue }
            for path in store.packPaths {
                do throws(StoreError) {
                    for entry in try PackVerifier(path, objects.format).verify() {
                        graph.setStoredKind(entry.kind, graph.number(of: entry.oid))
                    }
                } catch {
                    try refuse(error, .packs)
                }
            }
        }
    }

    private mutating func checkLoose(_ store: LooseStore) throws(StoreError) {
        let oids = try store.oids().sorted()
        let found = LooseCheck(oids, in: store).run(threads: Workers.processorCount)
        for (number, error) in found.faults {
            try refuse(error, .objects)
            graph.clear(.present, graph.number(of: oids[number]))
        }
        for (oid, kind) in zip(oids, found.kinds) {
            if let kind { graph.setStoredKind(kind, graph.number(of: oid)) }
        }
    }

    /// Tells of damage; what is no damage is thrown on.
    mutating func refuse(
        _ error: StoreError, _ kind: RepositoryVerdict
    ) throws(StoreError) {
        guard error.code != .system, error.code != .cancelled else { throw error }
        report(.unusable(error.message))
        verdict.insert(kind)
    }

    // MARK: The walk

    mutating func reach(_ number: Int) {
        guard !graph.has(.reachable, number) else { return }
        graph.set(.reachable, number)
        pending.append(number)
    }

    /// Goes to everything that can be reached.
    mutating func walk() throws(StoreError) {
        while let number = pending.popLast() {
            guard graph.has(.present, number) else { continue }
            try visit(number, isReachable: true)
        }
    }

    /// Looks at what was not reached, and at what that points to.
    mutating func visitRest() throws(StoreError) {
        for number in 0 ..< graph.count
        where graph.has(.present, number) && !graph.has(.visited, number) {
            try visit(number, isReachable: false)
        }
    }

    private mutating func visit(_ number: Int, isReachable: Bool) throws(StoreError) {
        graph.set(.visited, number)
        let oid = graph.oids[number]
        let object: GitObject
        do throws(StoreError) {
            let kind = try storedKind(number)
            if let expected = graph.kind(number) { tellOfKind(oid, kind, expected) }
            graph.setKind(kind, number)
            // What a blob holds was checked with its file or its pack.
            if kind == .blob { return }
            object = try objects.read(oid)
        } catch {
            try refuse(error, .objects)
            graph.clear(.present, number)
            return
        }
        let isSound = check(oid, object)
        try follow(oid, object, number, isReachable, isSound: isSound)
    }

    /// What the object is. A file or a pack that has been read through has told it already: to look for
    /// it in a pack takes a walk down all the deltas that the object is made with.
    func storedKind(_ number: Int) throws(StoreError) -> ObjectKind {
        if let kind = graph.storedKind(number) { return kind }
        return try objects.header(graph.oids[number]).kind
    }

    private mutating func tellOfKind(
        _ oid: ObjectID, _ kind: ObjectKind, _ expected: ObjectKind
    ) {
        guard kind != expected else { return }
        report(.unusable("object \(oid) is a \(kind.name), not a \(expected.name)"))
        verdict.insert(.objects)
    }

    /// False where an error was told of.
    private mutating func check(_ oid: ObjectID, _ object: GitObject) -> Bool {
        guard !options.checksOnlyConnectivity else { return true }
        return tell(of: checker.check(object, &submodules), oid, object.kind)
    }

    /// False where there is an error among the faults.
    private mutating func tell(
        of faults: [ObjectFault], _ oid: ObjectID, _ kind: ObjectKind
    ) -> Bool {
        for fault in faults { report(.fault(oid, kind, fault)) }
        guard faults.contains(where: { $0.isError(strict: options.isStrict) }) else { return true }
        verdict.insert(.objects)
        return false
    }

    mutating func checkSubmodules() throws(StoreError) {
        for oid in submodules.sorted() {
            do throws(StoreError) {
                _ = tell(of: try checker.checkSubmodules(oid, in: objects), oid, .blob)
            } catch {
                try refuse(error, .objects)
            }
        }
    }

    private mutating func follow(
        _ oid: ObjectID, _ object: GitObject, _ number: Int, _ isReachable: Bool,
        isSound: Bool
    ) throws(StoreError) {
        let links: [ObjectLink]
        do throws(ParseError) {
            links = try object.links(objects.format)
        } catch {
            // It is as good as missing; of a tree, what could be read counts.
            if object.kind != .tree { graph.clear(.present, number) }
            if isSound {
                try refuse(StoreError("\(object.kind.name) \(oid)", error), .objects)
            }
            return
        }
        if isSound { tellOfRoots(oid, object, links) }
        for link in links { try follow(link, from: oid, object.kind, isReachable) }
    }

    private mutating func follow(
        _ link: ObjectLink, from oid: ObjectID, _ kind: ObjectKind, _ isReachable: Bool
    ) throws(StoreError) {
        let target = graph.number(of: link.target)
        graph.set(.used, target)
        if graph.kind(target) == nil {
            graph.setKind(link.kind, target)
        } else if graph.kind(target) != link.kind, let kind = try? storedKind(target) {
            // What the first link calls it is held against it when it is visited.
            tellOfKind(link.target, kind, link.kind)
        }
        guard isReachable, !graph.has(.reachable, target) else { return }
        reach(target)
        if !graph.has(.present, target), try !objects.contains(link.target) {
            report(.brokenLink(from: oid, kind, to: link.target, link.kind))
            verdict.insert(.connectivity)
        }
    }

    private func tellOfRoots(_ oid: ObjectID, _ object: GitObject, _ links: [ObjectLink]) {
        if options.findsRoots, object.kind == .commit, links.count == 1 { report(.root(oid)) }
        guard options.findsTags, object.kind == .tag, let link = links.first,
            let tag = try? TagLinks(parsing: object.content.span, objects.format)
        else { return }
        report(.tagged(link.target, link.kind, name: tag.name, by: oid))
    }

    // MARK: The end

    /// Tells of what is missing, and of what nothing leads to.
    mutating func tell() {
        for number in 0 ..< graph.count {
            let (oid, kind) = (graph.oids[number], graph.kind(number) ?? .blob)
            if graph.has(.reachable, number) {
                if graph.has(.present, number) { continue }
                report(.missing(oid, kind))
                verdict.insert(.connectivity)
            } else if graph.has(.present, number) {
                if options.findsUnreachable, hasRoots {
                    report(.unreachable(oid, kind))
                } else if options.findsDangling, !graph.has(.used, number) {
                    report(.dangling(oid, kind))
                }
            }
        }
    }
}
