internal import GitCore

extension Pack {
    /// Kind and size of the object at `offset`, found without rebuilding it.
    func header(
        at offset: UInt64, _ tools: ReadingTools
    ) throws(StoreError) -> (kind: ObjectKind, size: UInt64) {
        let entry = try entry(at: offset, tools)
        if case .none(let kind) = entry.header.base { return (kind, entry.header.size) }
        let size = try resultSize(entry, tools)
        return (try kind(of: entry, tools), size)
    }

    /// The kind of a delta's object is that of its base.
    private func kind(of first: PackEntry, _ tools: ReadingTools) throws(StoreError) -> ObjectKind {
        let kinds = try kinds()
        let limit = try tools.window.turn(to: self).entryCount
        tools.passed.removeAll(keepingCapacity: true)
        var (offset, found) = (first.offset, nil as ObjectKind?)
        while found == nil {
            tools.passed.append(offset)
            guard tools.passed.count <= limit else { throw circle(first.offset) }
            found = kinds.kind(at: offset)
            if found != nil { break }
            let entry = offset == first.offset ? first : try entry(at: offset, tools)
            if case .none(let kind) = entry.header.base { found = kind }
            if let base = try baseOffset(of: entry) { offset = base }
        }
        guard let found else { throw circle(first.offset) }
        for offset in tools.passed { kinds.set(found, at: offset) }
        return found
    }

    /// The size that a delta declares for its result stands in its first bytes.
    private func resultSize(
        _ entry: PackEntry, _ tools: ReadingTools
    ) throws(StoreError) -> UInt64 {
        let front = tools.memory(Int(min(entry.header.size, 20)))
        let input = try tools.window.bytes(
            of: self, at: entry.streamOffset, atLeast: Self.deltaFrontLength)
        do throws(ParseError) {
            tools.stream.reset()
            if try tools.stream.inflate(input, into: front).produced == front.count {
                return try Delta(parsing: UnsafeRawBufferPointer(front)).resultSize
            }
            // They come late in the stream.
        } catch {
            throw fault(entry.offset, error)
        }
        let whole = tools.memory(try sizeToHold(entry, tools))
        try inflate(entry, into: whole, tools)
        do throws(ParseError) {
            return try Delta(parsing: UnsafeRawBufferPointer(whole)).resultSize
        } catch {
            throw fault(entry.offset, error)
        }
    }

    /// Bytes of a delta's stream that its two sizes are nearly always in.
    private static let deltaFrontLength = 512
}
