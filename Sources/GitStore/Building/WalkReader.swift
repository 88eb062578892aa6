internal import GitCore

/// Reads commits and tags for a walk, and finds where objects are. One a thread.
final class WalkReader {
    let database: ObjectDatabase
    let objects: ReachedObjects
    let places: PackedPlaces
    private var tools: ReadingTools

    init(_ database: ObjectDatabase, _ objects: ReachedObjects) throws(StoreError) {
        self.database = database
        self.objects = objects
        places = try PackedPlaces(database)
        tools = ReadingTools(DeltaBaseCache(budget: Self.cacheSize, shards: 1))
    }

    /// Bytes of objects that are kept to rebuild others from.
    private static let cacheSize = 16 << 20

    /// Gives back what was kept to read faster.
    func rest() { tools = ReadingTools(DeltaBaseCache(budget: 0, shards: 1)) }

    /// Where the object is in a pack; nil where it is in none.
    func place(_ number: Int) throws(StoreError) -> PackedPlace? {
        let known = objects.places[number]
        if known != 0 { return PackedPlaces.place(known) }
        let found = try places.find(objects.oid(number))
        objects.places[number] = PackedPlaces.word(found)
        return found
    }

    /// The object's kind, as it is stored, and the size of its content.
    ///
    /// - Throws: ``StoreError/Code/notFound`` where it is missing.
    func header(_ number: Int) throws(StoreError) -> (kind: ObjectKind, size: UInt64) {
        if let place = try place(number) {
            let (pack, index) = places.packs[place.pack]
            do throws(StoreError) {
                return try pack.header(at: try index.offset(row: place.row), tools)
            } catch  where error.code == .corrupt || error.code == .notFound {
                // Another copy may do.
            }
        }
        return try database.header(objects.oid(number))
    }

    /// Gives `body` the content of an object that must be of the kind `wanted`.
    func content<Result>(
        _ number: Int, _ wanted: ObjectKind,
        _ body: (UnsafeRawBufferPointer) throws(ParseError) -> Result
    ) throws(StoreError) -> Result {
        if let place = try place(number), let memory = try whole(place, wanted) {
            return try parse(number, wanted, UnsafeRawBufferPointer(memory), body)
        }
        let object = try database.read(objects.oid(number))
        guard object.kind == wanted else { throw mismatch(number, object.kind, wanted) }
        return try object.content.span.withUnsafeBytes { bytes throws(StoreError) in
            try parse(number, wanted, bytes, body)
        }
    }

    /// The content of an object that is in full in a pack, which most commits are; nil for others.
    private func whole(
        _ place: PackedPlace, _ wanted: ObjectKind
    ) throws(StoreError) -> UnsafeMutableRawBufferPointer? {
        let (pack, index) = places.packs[place.pack]
        do throws(StoreError) {
            let entry = try pack.entry(at: try index.offset(row: place.row), tools)
            guard case .none(let kind) = entry.header.base, kind == wanted else { return nil }
            let memory = tools.memory(try pack.sizeToHold(entry, tools))
            try pack.inflate(entry, into: memory, tools)
            return memory
        } catch  where error.code == .corrupt || error.code == .notFound {
            return nil
        }
    }

    private func parse<Result>(
        _ number: Int, _ kind: ObjectKind, _ bytes: UnsafeRawBufferPointer,
        _ body: (UnsafeRawBufferPointer) throws(ParseError) -> Result
    ) throws(StoreError) -> Result {
        do throws(ParseError) { return try body(bytes) } catch {
            throw StoreError("\(kind.name) \(objects.oid(number))", error)
        }
    }

    func mismatch(_ number: Int, _ kind: ObjectKind, _ wanted: ObjectKind) -> StoreError {
        StoreError(
            .corrupt, "object \(objects.oid(number)) is a \(kind.name), not a \(wanted.name)")
    }
}
