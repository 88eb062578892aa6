internal import GitCore

/// Tells which paths sparse patterns hold, going down from directory to directory.
///
/// What counts below a directory follows from a few things only: whether it is held, and how far its path
/// has got in each pattern that can still match. Directories where these are the same have one number.
/// What was found for a name in such a directory is kept, so that of a history each is worked out once.
final class SparseMatcher {
    private struct Live: Hashable {
        /// The place among the list's ``SparsePatterns/paths``.
        let pattern: Int
        let progress: WildPattern.Progress
    }

    /// What one list says of a directory.
    private struct Part: Hashable {
        let isHeld: Bool
        let live: [Live]
    }

    private struct Edge: Hashable {
        let directory: UInt32
        let isTree: Bool
        let name: [UInt8]
    }

    private let lists: [SparsePatterns]
    private var directories: [[Part]] = []
    private var numbers: [[Part]: UInt32] = [:]
    /// Of trees, the number of the directory; of blobs, 1 where it is held.
    private var edges: [Edge: UInt32] = [:]
    /// Bytes of ``directories``.
    private var held = 0

    /// Bytes for what is known of directories: with patterns that are made for it, each is another.
    private static let budget = 128 << 20
    private static let slash: [UInt8] = [0x2f]
    private static let noName: [UInt8] = []
    /// As many names as are kept.
    private static let mostEdges = 1 << 20

    init(_ lists: [SparsePatterns]) { self.lists = lists }

    /// Whether there are more directories than are told apart: what was said since is of no use.
    var isExhausted: Bool { held > Self.budget }

    /// The number of the top of a commit's tree, or of a tree that was asked for by itself: patterns of
    /// names may match the first, whose name is empty.
    func top(isNamed: Bool) -> UInt32 {
        number(
            lists.map { list in
                let line = isNamed ? Self.lastName(Self.noName.span, list, isTree: true) : nil
                let live = list.paths.indices.compactMap { index in
                    list.paths[index].pattern.wild.start.map {
                        Live(pattern: index, progress: $0)
                    }
                }
                return Part(isHeld: line.map { !$0.isNegative } ?? false, live: live)
            })
    }

    /// Whether a file is held.
    func holds(_ name: UnsafeRawBufferPointer, in directory: UInt32) -> Bool {
        let edge = Edge(directory: directory, isTree: false, name: Array(name))
        if let known = edges[edge] { return known == 1 }
        let isHeld = parts(edge).allSatisfy(\.isHeld)
        keep(edge, isHeld ? 1 : 0)
        return isHeld
    }

    /// The number of a directory in a directory.
    func directory(_ name: UnsafeRawBufferPointer, in directory: UInt32) -> UInt32 {
        let edge = Edge(directory: directory, isTree: true, name: Array(name))
        if let known = edges[edge] { return known }
        let number = number(parts(edge))
        keep(edge, number)
        return number
    }

    private func keep(_ edge: Edge, _ value: UInt32) {
        if edges.count == Self.mostEdges { edges.removeAll() }
        edges[edge] = value
    }

    private func number(_ parts: [Part]) -> UInt32 {
        if let known = numbers[parts] { return known }
        guard !isExhausted else { return 0 }
        let number = UInt32(truncatingIfNeeded: directories.count)
        directories.append(parts)
        numbers[parts] = number
        for part in parts {
            held += part.live.reduce(MemoryLayout<Part>.stride) {
                $0 + $1.progress.byteCount + MemoryLayout<Live>.stride
            }
        }
        return number
    }

    // MARK: One name

    private func parts(_ edge: Edge) -> [Part] {
        zip(lists, directories[Int(edge.directory)]).map { list, part in
            Self.part(edge, list, part)
        }
    }

    private static func part(_ edge: Edge, _ list: SparsePatterns, _ above: Part) -> Part {
        var last = lastName(edge.name.span, list, isTree: edge.isTree)
        var live: [Live] = []
        for one in above.live {
            let (line, pattern) = list.paths[one.pattern]
            var progress = one.progress
            guard pattern.wild.advance(&progress, over: edge.name.span) else { continue }
            if pattern.wild.isMatched(progress), edge.isTree || !pattern.meansDirectories,
                line > last?.line ?? 0
            {
                last = (line, pattern.isNegative)
            }
            if edge.isTree, pattern.wild.advance(&progress, over: slash.span) {
                live.append(Live(pattern: one.pattern, progress: progress))
            }
        }
        return Part(isHeld: last.map { !$0.isNegative } ?? above.isHeld, live: live)
    }

    /// The last pattern of names that matches.
    private static func lastName(
        _ name: Span<UInt8>, _ list: SparsePatterns, isTree: Bool
    ) -> (line: Int, isNegative: Bool)? {
        for (line, pattern) in list.names.reversed()
        where (isTree || !pattern.meansDirectories) && pattern.wild.matches(name) {
            return (line, pattern.isNegative)
        }
        return nil
    }
}
