internal import GitCore

/// What commits point to, without reading them: the commit-graph of a store, in one file or in layers.
///
/// Layers are named from the lowest on in `info/commit-graphs/commit-graph-chain`, a line of hex for
/// each; the file is `graph-<hex>.graph` beside it.
struct CommitGraph: Sendable {
    let layers: [CommitGraphFile]
    /// The position of the first commit of each layer, and the number of all.
    let starts: [Int]

    /// Git makes a few; every one is a file.
    private static let mostLayers = 256

    /// - Parameter directory: `objects`.
    /// - Returns: nil where there is none.
    /// - Throws: ``StoreError/Code/corrupt``.
    init?(in directory: ByteString, _ format: ObjectFormat) throws(StoreError) {
        let single = directory / "info/commit-graph"
        if FileSystem.exists(single) {
            layers = [try CommitGraphFile(single, format)]
        } else {
            layers = try Self.chain(directory / "info/commit-graphs", format)
        }
        guard !layers.isEmpty else { return nil }
        var starts = [0]
        for layer in layers { starts.append(starts[starts.count - 1] + layer.oids.count) }
        self.starts = starts
    }

    private static func chain(
        _ directory: ByteString, _ format: ObjectFormat
    ) throws(StoreError) -> [CommitGraphFile] {
        let path = directory / "commit-graph-chain"
        guard FileSystem.exists(path) else { return [] }
        let limit = (format.hexCount + 1) * mostLayers
        let lines = ByteString(try FileSystem.read(path, limit: limit)).split(0x0a)
        var layers: [CommitGraphFile] = []
        var hashes: [ObjectID] = []
        for line in lines where !line.isEmpty {
            guard let hash = ObjectID(hex: line), hash.format == format else {
                throw StoreError(.corrupt, "'\(path)' has a line that is no hash")
            }
            let layer = try CommitGraphFile(directory / ("graph-" + line + ".graph"), format)
            guard layer.bases == hashes else {
                throw StoreError(.corrupt, "'\(path)' names layers that do not belong together")
            }
            layers.append(layer)
            hashes.append(hash)
        }
        return layers
    }

    /// The position of a commit; nil where it is none of the graph's.
    func position(of oid: ObjectID) -> Int? {
        for (number, layer) in layers.enumerated().reversed() {
            if let row = layer.oids.row(of: oid) { return starts[number] + row }
        }
        return nil
    }

    /// The id of the commit at a position; nil for a position that there is not.
    func oid(at position: Int) -> ObjectID? {
        guard let (layer, row) = place(position) else { return nil }
        return layers[layer].oids.oid(row: row)
    }

    /// Appends the positions of a commit's parents to `parents`; says its tree and the time in seconds.
    func commit(
        at position: Int, appendingParentsTo parents: inout [UInt32]
    ) throws(StoreError) -> (tree: ObjectID, time: UInt64)? {
        guard let (layer, row) = place(position) else { return nil }
        return try layers[layer].commit(row: row, appendingParentsTo: &parents)
    }

    func place(_ position: Int) -> (layer: Int, row: Int)? {
        guard position >= 0, position < starts[layers.count] else { return nil }
        let layer = starts.partitionPoint { $0 <= position } - 1
        return (layer, position - starts[layer])
    }
}

extension ObjectDatabase {
    /// The commit-graph of this store alone; nil where there is none that can be used.
    func commitGraph() throws(StoreError) -> CommitGraph? {
        do throws(StoreError) { return try CommitGraph(in: directory, format) } catch {
            switch error.code {
            case .notFound: return nil
            case .corrupt, .limit:
                faults.record(error)
                return nil
            default: throw error
            }
        }
    }
}
