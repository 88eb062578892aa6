internal import GitCore

extension TreeWalk {
    /// Goes over a tree that `delta` made, up to its end; calls `body` to go over each entry that the
    /// delta did not copy whole from its base.
    ///
    /// Follows the delta's instructions beside the walk. Where an entry of the base is copied whole,
    /// and to a place where an entry begins, it is an entry here: the same bytes read from the same
    /// kind of place. The delta need not be the work of somebody who thought of entries: everything
    /// else is read.
    ///
    /// - Parameters:
    ///   - base: of the tree that the delta was applied to.
    ///   - body: must go over one entry, with ``next()``.
    @inline(__always)
    mutating func forEachChange(
        by delta: Delta, on base: TreeStarts,
        _ body: (inout TreeWalk) throws(ParseError) -> Void
    ) throws(ParseError) {
        guard UInt64(base.treeSize) == delta.baseSize else {
            while !isAtEnd { try body(&self) }
            return
        }
        var finder = TreeEntryFinder(base)
        var written = 0
        try delta.forEachInstruction { instruction, _ throws(ParseError) in
            switch instruction {
            case .insert(let bytes):
                written &+= bytes.count
                while position < written { try body(&self) }
            case .copy(let offset, let size):
                let shift = offset &- written
                written &+= size
                while position < written {
                    let copied = finder.entries(from: position &+ shift, upTo: written &+ shift)
                    if let copied {
                        try skip(copied, of: base)
                    } else {
                        try body(&self)
                    }
                }
            }
        }
    }
}
