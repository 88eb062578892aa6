import GitCore
import GitStore
import Synchronization

/// Prints objects as `cat-file --batch` and `--batch-check` do.
struct BatchPrinter: Sendable {
    private let repository: Repository
    private let fields: ObjectFields
    private let showsContent: Bool
    private let output: SharedOutput

    init(
        _ repository: Repository, _ fields: ObjectFields, showsContent: Bool, _ output: Output
    ) {
        self.repository = repository
        self.fields = fields
        self.showsContent = showsContent
        self.output = SharedOutput(output)
    }

    /// Every object, in the order of the ids.
    func printAll() throws {
        try RecordWriter.write(to: output) { records in
            for oid in try repository.objects.allObjectIDs() {
                try printAny(StoredObject(oid, in: repository.objects), &records)
            }
        }
    }

    /// Every object, in no order, on all processors.
    func printUnordered() throws {
        try repository.objects.forEachStretch(threads: Workers.processorCount) { stretch in
            try RecordWriter.write(to: output) { records in
                try stretch.forEach { try printAny($0, &records) }
            }
        }
    }

    /// The objects that lines of standard input name.
    ///
    /// - Parameter isBuffered: whether what was printed may stay behind while a line is waited for.
    func printNamed(isBuffered: Bool) throws {
        var input = try Input.standard()
        try RecordWriter.write(to: output) { records in
            while let line = try input.nextLine(endedBy: 0x0a) {
                let (name, rest) = fields.usesRest ? split(line) : (line, "")
                try printNamed(name, rest, &records)
                if !isBuffered {
                    try records.flush()
                    try output.flush()
                }
            }
        }
    }

    private func printNamed(
        _ name: ByteString, _ rest: ByteString, _ records: inout RecordWriter
    ) throws {
        do {
            let oid = try repository.resolve(revision: name).oid
            let object = StoredObject(oid, in: repository.objects)
            try printObject(object, showsContent ? nil : object.header(), rest, &records)
        } catch let error as StoreError where error.code == .notFound {
            try records.append { $0 += name.bytes + " missing\n".utf8 }
        } catch let error as StoreError where error.code == .invalid {
            try records.append { $0 += name.bytes + " ambiguous\n".utf8 }
        }
    }

    /// An object that was in the store when the objects were listed.
    private func printAny(_ object: borrowing StoredObject, _ records: inout RecordWriter) throws {
        do {
            try printObject(object, nil, "", &records)
        } catch let error as StoreError where error.code == .notFound {
            try records.append { $0 += object.oid.hexBytes + " missing\n".utf8 }
        }
    }

    private func printObject(
        _ object: borrowing StoredObject, _ header: (kind: ObjectKind, size: UInt64)?,
        _ rest: ByteString,
        _ records: inout RecordWriter
    ) throws {
        guard showsContent else {
            return try records.append { line in
                try fields.append(object, header, rest: rest, to: &line)
                line.append(0x0a)
            }
        }
        try object.content { content in
            try records.append(content) { line in
                try fields.append(object, (content.kind, content.size), rest: rest, to: &line)
                line.append(0x0a)
            }
        }
    }

    /// A name, and what follows the first blanks.
    private func split(_ line: ByteString) -> (ByteString, ByteString) {
        let name = line.bytes.prefix { $0 != 0x20 && $0 != 0x09 }
        let rest = line.bytes[name.endIndex...].drop { $0 == 0x20 || $0 == 0x09 }
        return (ByteString(name), ByteString(rest))
    }
}

/// What one thread prints: records that are kept together, however many threads print.
private struct RecordWriter {
    private let output: SharedOutput
    private var block: [UInt8] = []

    /// Bytes that are written at once, at the least; and those of a content that is not copied first.
    private static let blockSize = 1 << 16
    private static let largeContent: UInt64 = 1 << 15

    /// Gives `body` a writer, and writes what it left, also where it throws.
    static func write(
        to output: SharedOutput, _ body: (inout RecordWriter) throws -> Void
    ) throws {
        var records = RecordWriter(output)
        do { try body(&records) } catch {
            try records.flush()
            throw error
        }
        try records.flush()
    }

    private init(_ output: SharedOutput) {
        self.output = output
        block.reserveCapacity(Self.blockSize + Int(Self.largeContent) + 256)
    }

    /// Prints what `fill` appends.
    mutating func append(_ fill: (inout [UInt8]) throws -> Void) throws {
        try fill(&block)
        if block.count >= Self.blockSize { try flush() }
    }

    /// Prints what `fill` appends, the content, and the end of a line.
    mutating func append(
        _ content: StoredContent, _ fill: (inout [UInt8]) throws -> Void
    ) throws {
        try fill(&block)
        if content.size <= Self.largeContent {
            try content.forEachPiece { block.append(contentsOf: $0) }
            block.append(0x0a)
            if block.count >= Self.blockSize { try flush() }
            return
        }
        try output.write { [block] output in
            output.write(block)
            try content.forEachPiece { output.write($0) }
            output.write([0x0a])
        }
        block.removeAll(keepingCapacity: true)
    }

    /// Writes all that is in the block.
    mutating func flush() throws {
        try output.write { [block] output in output.write(block) }
        block.removeAll(keepingCapacity: true)
    }
}

/// Standard output for several threads.
private final class SharedOutput: @unchecked Sendable {
    // SAFETY: `output` is used with the lock held only, and by nobody else while threads print.
    private let output: Output
    private let lock = Mutex(())

    init(_ output: Output) { self.output = output }

    /// Gives `body` the output alone.
    ///
    /// - Throws: what `body` throws; what went wrong with an earlier write.
    func write(_ body: (Output) throws -> Void) throws {
        try lock.withLock { _ in
            try body(output)
            if output.hasFailed { try output.flush() }
        }
    }

    func flush() throws { try write { try $0.flush() } }
}
