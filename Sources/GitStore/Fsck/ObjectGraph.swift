import GitCore

/// What one object points to.
struct ObjectLink {
    let target: ObjectID
    /// What the target should be.
    let kind: ObjectKind
}

extension GitObject {
    /// What the object points to, gitlinks left out.
    func links(_ format: ObjectFormat) throws(ParseError) -> [ObjectLink] {
        switch kind {
        case .blob: return []
        case .commit:
            let commit = try CommitLinks(parsing: content.span, format)
            return [ObjectLink(target: commit.tree, kind: .tree)]
                + commit.parents.map { ObjectLink(target: $0, kind: .commit) }
        case .tag:
            let tag = try TagLinks(parsing: content.span, format)
            return [ObjectLink(target: tag.target, kind: tag.kind)]
        case .tree:
            var links: [ObjectLink] = []
            var cursor = ByteCursor(content.span)
            while !cursor.isAtEnd {
                let start = cursor.offset
                let entry = try RawTreeEntry(reading: &cursor, format)
                guard let mode = FileMode(lenient: entry.mode) else {
                    throw ParseError("unknown mode in tree", at: start)
                }
                if mode == .gitlink { continue }
                links.append(ObjectLink(target: entry.oid, kind: mode.kind))
            }
            return links
        }
    }
}

/// Every object of a store, and what has been found out about each.
struct ObjectGraph {
    struct Marks: OptionSet {
        let rawValue: UInt8
        static let present = Marks(rawValue: 1)
        static let reachable = Marks(rawValue: 2)
        /// Something points to it.
        static let used = Marks(rawValue: 4)
        static let visited = Marks(rawValue: 8)
    }

    private(set) var oids: [ObjectID]
    private var numbers: [ObjectID: Int32] = [:]
    private var marks: [Marks]
    private var kinds: [ObjectKind?]
    private var storedKinds: [ObjectKind?]

    init(_ oids: [ObjectID]) {
        self.oids = oids
        marks = Array(repeating: .present, count: oids.count)
        kinds = Array(repeating: nil, count: oids.count)
        storedKinds = kinds
        numbers.reserveCapacity(oids.count)
        for (number, oid) in oids.enumerated() {
            numbers[oid] = Int32(truncatingIfNeeded: number)
        }
    }

    var count: Int { oids.count }

    /// The object's number; one that is not in the store gets one of its own.
    mutating func number(of oid: ObjectID) -> Int {
        if let number = numbers[oid] { return Int(number) }
        numbers[oid] = Int32(truncatingIfNeeded: oids.count)
        oids.append(oid)
        marks.append([])
        kinds.append(nil)
        storedKinds.append(nil)
        return oids.count - 1
    }

    func has(_ mark: Marks, _ number: Int) -> Bool { marks[number].contains(mark) }

    mutating func set(_ mark: Marks, _ number: Int) { marks[number].insert(mark) }

    mutating func clear(_ mark: Marks, _ number: Int) { marks[number].remove(mark) }

    /// What it is, or where it is missing, what it should be.
    func kind(_ number: Int) -> ObjectKind? { kinds[number] }

    mutating func setKind(_ kind: ObjectKind, _ number: Int) { kinds[number] = kind }

    /// What it is by what its file or pack holds, where that has been found out.
    func storedKind(_ number: Int) -> ObjectKind? { storedKinds[number] }

    mutating func setStoredKind(_ kind: ObjectKind, _ number: Int) { storedKinds[number] = kind }
}
