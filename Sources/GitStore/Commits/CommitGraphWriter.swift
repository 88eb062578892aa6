public import GitCore

/// Writes the commit-graph of a store, in one file (CommitGraphFile.swift has its layout).
public struct CommitGraphWriter {
    private let database: ObjectDatabase
    private let reader: WalkReader
    private let objects: ReachedObjects
    private var history: CommitHistory
    /// The records of the commits, by the order of their ids.
    private var sorted: [Int] = []
    private var oids: [ObjectID] = []
    /// By record.
    private var positions: [UInt32] = []
    private var levels: [UInt32] = []
    private var correctedTimes: [UInt64] = []

    private static let highestLevel: UInt32 = 0x3fff_ffff
    private static let highestOffset: UInt64 = 0x7fff_ffff
    private static let none: UInt32 = 0x7000_0000
    private static let mark: UInt32 = 0x8000_0000

    public init(_ database: ObjectDatabase) throws(StoreError) {
        self.database = database
        objects = ReachedObjects(database.format)
        reader = try WalkReader(database, objects)
        // What another graph says is not passed on.
        history = try CommitHistory(reader, shallow: [], usesGraphs: false)
    }

    /// Writes the graph of commits and all that these lead to.
    ///
    /// - Parameter tips: commits; what is something else is passed over.
    /// - Returns: false where there are none.
    @discardableResult
    public mutating func write(tips: [ObjectID]) throws(StoreError) -> Bool {
        try collect(tips)
        guard !sorted.isEmpty else { return false }
        guard sorted.count < Int(Self.none) else {
            throw StoreError(.limit, "too many commits for a commit-graph")
        }
        findLevels()
        let directory = database.directory / "info"
        try FileSystem.createDirectory(directory)
        var lock = try LockFile(directory / "commit-graph")
        try lock.write(bytes())
        try lock.setPermissions(FileSystem.underUmask(0o444))
        try lock.finish()
        try lock.commit()
        try removeLayers(directory / "commit-graphs")
        return true
    }

    /// Layers would be passed over from now on.
    private func removeLayers(_ directory: ByteString) throws(StoreError) {
        guard FileSystem.isDirectory(directory) else { return }
        try FileSystem.remove(directory / "commit-graph-chain")
        for name in try FileSystem.list(directory) where name.hasSuffix(".graph") {
            try FileSystem.remove(directory / name)
        }
    }

    // MARK: Commits

    private mutating func collect(_ tips: [ObjectID]) throws(StoreError) {
        var rest: [Int] = []
        func add(_ number: Int) {
            guard !objects.has(.met, number) else { return }
            objects.set(.met, number)
            rest.append(number)
        }
        for tip in tips {
            let number = objects.number(of: tip)
            let kind = try reader.header(number).kind
            objects.setKind(kind, number)
            if kind == .commit { add(number) }
        }
        while let number = rest.popLast() {
            let record = try history.record(of: number)
            for place in history.records[record].parents { add(history.parents[place]) }
        }
        try objects.check()
        let records = history.records
        let named = records.indices.map { (oid: objects.oid(records[$0].commit), record: $0) }
            .sorted { $0.oid < $1.oid }
        sorted = named.map(\.record)
        oids = named.map(\.oid)
        positions = Array(repeating: 0, count: records.count)
        for (position, record) in sorted.enumerated() {
            positions[record] = UInt32(truncatingIfNeeded: position)
        }
    }

    private func parents(_ record: Int) -> [Int] {
        history.records[record].parents.map { Int(objects.hints[history.parents[$0]]) - 1 }
    }

    /// A commit's level is one more than the highest of its parents'; its corrected time is its own, but
    /// later than those of all parents.
    private mutating func findLevels() {
        levels = Array(repeating: 0, count: sorted.count)
        correctedTimes = Array(repeating: 0, count: sorted.count)
        for first in sorted where levels[first] == 0 {
            var chain = [first]
            while let record = chain.last {
                let parents = parents(record)
                let unknown = parents.filter { levels[$0] == 0 }
                guard levels[record] == 0, unknown.isEmpty else {
                    if levels[record] == 0 { chain += unknown } else { chain.removeLast() }
                    continue
                }
                chain.removeLast()
                let level = parents.map { levels[$0] }.max() ?? 0
                levels[record] = min(level + 1, Self.highestLevel)
                let latest = parents.map { correctedTimes[$0] }.max() ?? 0
                correctedTimes[record] = max(latest &+ 1, history.records[record].time)
            }
        }
    }

    // MARK: The file

    private func bytes() -> [UInt8] {
        let format = database.format
        var (rows, edges) = ([] as [UInt8], [] as [UInt8])
        var (offsets, overflows) = ([] as [UInt8], [] as [UInt8])
        rows.reserveCapacity(sorted.count * (format.byteCount + 16))
        for record in sorted {
            let commit = history.records[record]
            rows += objects.oid(commit.tree).rawBytes
            append(parents(record).map { positions[$0] }, to: &rows, &edges)
            let time = commit.time & (1 << 34 - 1)
            rows.append(bigEndian: UInt64(levels[record]) << 34 | time)
            let offset = correctedTimes[record] - min(commit.time, correctedTimes[record])
            if offset > Self.highestOffset {
                offsets.append(bigEndian: Self.mark | UInt32(overflows.count / 8))
                overflows.append(bigEndian: offset)
            } else {
                offsets.append(bigEndian: UInt32(offset))
            }
        }
        var file = ChunkFileWriter()
        file.add("OIDF", ChunkFileWriter.fanOut(oids))
        file.add("OIDL", ChunkFileWriter.lookup(oids))
        file.add("CDAT", rows)
        file.add("GDA2", offsets)
        if !overflows.isEmpty { file.add("GDO2", overflows) }
        if !edges.isEmpty { file.add("EDGE", edges) }
        let header =
            Array("CGPH".utf8) + [1, format == .sha1 ? 1 : 2, UInt8(file.count), 0]
        return file.bytes(header: header, format)
    }

    private func append(_ parents: [UInt32], to rows: inout [UInt8], _ edges: inout [UInt8]) {
        rows.append(bigEndian: parents.first ?? Self.none)
        guard parents.count > 2 else {
            rows.append(bigEndian: parents.count == 2 ? parents[1] : Self.none)
            return
        }
        rows.append(bigEndian: Self.mark | UInt32(edges.count / 4))
        for parent in parents.dropFirst().dropLast() { edges.append(bigEndian: parent) }
        edges.append(bigEndian: Self.mark | (parents.last ?? 0))
    }
}
