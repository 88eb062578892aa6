internal import GitCore

/// An entry of a pack: where it begins and what its header says.
struct PackEntry {
    let header: PackEntryHeader
    let offset: UInt64
    /// Where its zlib stream begins.
    var streamOffset: UInt64 { offset + UInt64(header.length) }
}

extension Pack {
    func entry(at offset: UInt64, _ tools: ReadingTools) throws(StoreError) -> PackEntry {
        guard offset >= UInt64(PackHeader.length), offset < (try tools.window.turn(to: self).end)
        else {
            throw fault(offset, ParseError("offset outside the pack", at: 0))
        }
        let bytes = try tools.window.bytes(
            of: self, at: offset, atLeast: PackEntryHeader.maximumLength)
        do throws(ParseError) {
            return PackEntry(header: try PackEntryHeader(parsing: bytes, format), offset: offset)
        } catch {
            throw fault(offset, error)
        }
    }

    /// Where the entry begins that a delta is based on; nil for an object in full.
    func baseOffset(of entry: PackEntry) throws(StoreError) -> UInt64? {
        switch entry.header.base {
        case .none: return nil
        case .distance(let distance):
            guard distance < entry.offset else {
                throw fault(entry.offset, ParseError("delta base before the pack", at: 0))
            }
            return entry.offset - distance
        case .oid(let oid):
            let index = try index()
            guard let row = index.row(of: oid) else {
                throw StoreError(
                    .corrupt,
                    "pack '\(path)': base \(oid) of the entry at \(entry.offset) is missing")
            }
            return try index.offset(row: row)
        }
    }

    func circle(_ offset: UInt64) -> StoreError {
        fault(offset, ParseError("delta is based on itself", at: 0))
    }

    // MARK: Objects

    /// The object whose entry begins at `offset`.
    func object(at offset: UInt64, _ tools: ReadingTools) throws(StoreError) -> GitObject {
        if let known = tools.cache.object(key(offset)) { return known }
        let base = try descend(from: offset, tools)
        var object: GitObject
        if let base {
            object = base
        } else if let whole = tools.chain.popLast() {
            object = try self.whole(whole, tools)
            tools.cache.insert(object, key(whole.offset))
        } else {
            throw fault(offset, ParseError("no entry", at: 0))
        }
        while let delta = tools.chain.popLast() {
            object = try apply(delta, to: object, tools)
            tools.cache.insert(object, key(delta.offset))
        }
        return object
    }

    /// Puts the entries that `offset` is built from on the tools' chain, the object in full last; or
    /// stops at one whose object is in the cache, and says that.
    private func descend(
        from offset: UInt64, _ tools: ReadingTools
    ) throws(StoreError) -> GitObject? {
        tools.chain.removeAll(keepingCapacity: true)
        var entry = try entry(at: offset, tools)
        let limit = try tools.window.turn(to: self).entryCount
        while true {
            tools.chain.append(entry)
            guard let base = try baseOffset(of: entry) else { return nil }
            if let known = tools.cache.object(key(base)) { return known }
            // A chain longer than the pack has entries goes round in a circle.
            guard tools.chain.count <= limit else { throw circle(offset) }
            entry = try self.entry(at: base, tools)
        }
    }

    private func key(_ offset: UInt64) -> DeltaBaseCache.Key {
        DeltaBaseCache.Key(pack: number, offset: offset)
    }

    private func whole(
        _ entry: PackEntry, _ tools: ReadingTools
    ) throws(StoreError) -> GitObject {
        guard case .none(let kind) = entry.header.base else {
            throw fault(entry.offset, ParseError("not an object in full", at: 0))
        }
        let size = try sizeToHold(entry, tools)
        let content = try [UInt8].filled(size) { output throws(StoreError) in
            try inflate(entry, into: output, tools)
        }
        return GitObject(kind: kind, content: content)
    }

    private func apply(
        _ entry: PackEntry, to base: GitObject, _ tools: ReadingTools
    ) throws(StoreError) -> GitObject {
        let memory = tools.memory(try sizeToHold(entry, tools))
        try inflate(entry, into: memory, tools)
        do throws(ParseError) {
            let delta = try Delta(parsing: UnsafeRawBufferPointer(memory))
            guard delta.resultSize <= limits.deltaObjectSize else {
                throw ParseError("delta makes \(delta.resultSize) bytes, over the limit", at: 0)
            }
            let content = try [UInt8].filled(Int(delta.resultSize)) { output throws(ParseError) in
                try base.content.span.withUnsafeBytes { base throws(ParseError) in
                    try delta.apply(to: base, into: output)
                }
            }
            return GitObject(kind: base.kind, content: content)
        } catch {
            throw fault(entry.offset, error)
        }
    }

    // MARK: Inflation

    /// Entries of more bytes than this are inflated piece by piece, so that their streams need not be
    /// held.
    static let largeSize: UInt64 = 32 << 20

    func sizeToHold(
        _ entry: PackEntry, _ tools: ReadingTools
    ) throws(StoreError) -> Int {
        let size = entry.header.size
        // No more than a thousand times what is there: deflate can do no better.
        guard size <= limits.deltaObjectSize, size / 1_032 <= (try tools.window.turn(to: self).end)
        else {
            throw StoreError(
                .limit,
                "pack '\(path)': object of \(size) bytes at \(entry.offset) is too large to hold")
        }
        return Int(size)
    }

    /// Inflates an entry's stream into `output`, which has the size that the header says.
    func inflate(
        _ entry: PackEntry, into output: UnsafeMutableRawBufferPointer, _ tools: ReadingTools
    ) throws(StoreError) {
        if entry.header.size <= Self.largeSize {
            // Where the stream ends is not known before. Most take less than half of what they hold.
            let bound = Inflater.compressedBound(output.count)
            if try inflate(entry, output, tools, within: bound / 2) { return }
            if try inflate(entry, output, tools, within: bound) { return }
        }
        // For streams that libdeflate refuses, too: zlib takes some of them, or says what is wrong.
        var filled = 0
        try stream(entry, tools) { piece in
            output[filled...].copyBytes(from: piece)
            filled += piece.count
        }
    }

    /// False where the stream does not end within `length` bytes, or is not as it should be.
    private func inflate(
        _ entry: PackEntry, _ output: UnsafeMutableRawBufferPointer, _ tools: ReadingTools,
        within length: Int
    ) throws(StoreError) -> Bool {
        let bytes = try tools.window.bytes(
            of: self, at: entry.offset, atLeast: entry.header.length + length)
        let stream = UnsafeRawBufferPointer(rebasing: bytes.dropFirst(entry.header.length))
        return tools.inflater.inflate(stream, into: output) != nil
    }

    /// Inflates an object in full, or a delta, piece by piece: never more bytes than the header says,
    /// and no fewer unless this throws.
    func stream(
        _ entry: PackEntry, _ tools: ReadingTools, _ sink: (UnsafeRawBufferPointer) throws -> Void
    ) throws(StoreError) {
        let output = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Self.pieceSize, alignment: 16)
        defer { output.deallocate() }
        tools.stream.reset()
        var position = entry.streamOffset
        var produced: UInt64 = 0
        while !tools.stream.isFinished {
            let input = try tools.window.bytes(of: self, at: position, atLeast: 1)
            let step: (consumed: Int, produced: Int)
            do throws(ParseError) {
                step = try tools.stream.inflate(input, into: output)
                guard step != (0, 0) || tools.stream.isFinished else {
                    throw ParseError("corrupt zlib stream", at: 0)
                }
            } catch {
                throw fault(entry.offset, error)
            }
            position += UInt64(step.consumed)
            produced += UInt64(step.produced)
            guard produced <= entry.header.size else {
                throw fault(entry.offset, ParseError("object is longer than declared", at: 0))
            }
            do { try sink(UnsafeRawBufferPointer(rebasing: output[..<step.produced])) } catch {
                throw (error as? StoreError) ?? StoreError(.system, "\(error)", cause: error)
            }
        }
        guard produced == entry.header.size else {
            throw fault(entry.offset, ParseError("object is shorter than declared", at: 0))
        }
    }

    private static let pieceSize = 1 << 18
}

extension [UInt8] {
    /// An array of `count` bytes that `fill` writes, all of them.
    fileprivate static func filled<Failure: Error>(
        _ count: Int, _ fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) -> [UInt8] {
        // The initializer does not carry a typed error.
        var failure: Failure?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            do throws(Failure) {
                try fill(
                    UnsafeMutableRawBufferPointer(
                        rebasing: UnsafeMutableRawBufferPointer(buffer)[..<count]))
                filled = count
            } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes
    }
}
