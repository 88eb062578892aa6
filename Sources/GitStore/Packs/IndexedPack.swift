public import GitCore

#if canImport(Glibc)
    package import Glibc
#elseif canImport(Darwin)
    package import Darwin
#elseif canImport(Musl)
    package import Musl
#endif

/// A pack of which every object is verified and named, not yet in its place.
public final class IndexedPack {
    /// The pack's trailer: the hash of its bytes.
    public let trailer: ObjectID
    /// Objects that were added to a thin pack to complete it.
    public let addedBases: Int
    /// What objects of the pack point to that it does not hold, sorted; gitlinks do not count. Empty
    /// too where the indexer was told not to look.
    public let missingLinks: [ObjectID]

    private let file: PackFile
    let table: PackEntryTable
    /// Rows in the order of their ids.
    let order: [UInt32]

    init(
        file: PackFile, table: PackEntryTable, trailer: ObjectID, addedBases: Int,
        links: ObjectIDSet?
    ) {
        self.file = file
        self.table = table
        self.trailer = trailer
        self.addedBases = addedBases
        order = table.rowsByObjectID()
        missingLinks = links?.subtracting(table.oids.bytes) ?? []
    }

    public var objectCount: Int { table.count }

    /// Objects that came, without those that were added.
    package var receivedCount: Int { table.count - addedBases }

    /// Whether the pack holds an object.
    public func contains(_ oid: ObjectID) -> Bool { row(of: oid) != nil }

    /// The object's place in the order of the pack.
    func row(of oid: ObjectID) -> Int? {
        let low = order.partitionPoint { table.objectID(row: Int($0)) < oid }
        guard low < order.count, table.objectID(row: Int(order[low])) == oid else { return nil }
        return Int(order[low])
    }

    /// The bytes of the index file.
    public func indexBytes() -> [UInt8] {
        PackIndexWriter(table: table, order: order, trailer: trailer).index()
    }

    /// The bytes of the reverse index file.
    public func reverseIndexBytes() -> [UInt8] {
        PackIndexWriter(table: table, order: order, trailer: trailer).reverseIndex()
    }

    /// Where the files of a pack go.
    package struct Places: Sendable {
        /// nil for a pack that stays where it is.
        package var pack: ByteString?
        package var index: ByteString
        /// nil for none.
        package var reverseIndex: ByteString?
        /// A file that stops Git's maintenance from repacking the pack, and its content; nil for none.
        package var keep: (path: ByteString, content: ByteString)?

        /// `<base>.pack` and so on.
        package init(base: ByteString, keep: ByteString? = nil) {
            pack = base + ".pack"
            index = base + ".idx"
            reverseIndex = base + ".rev"
            self.keep = keep.map { (base + ".keep", $0) }
        }
    }

    /// Puts the pack, its reverse index and last its index into a `pack` directory, so that it is seen
    /// only once all is there; says the path without its ending. A pack of this name that is there
    /// already, with its index, stays: what is in use is never replaced. Where it fails, what it put
    /// there is removed.
    ///
    /// - Parameter keep: content of a `.keep` file, which stops Git's maintenance from repacking it.
    @discardableResult
    public func install(
        in directory: ByteString, keep: ByteString? = nil
    ) throws(StoreError) -> ByteString {
        let base = directory / ByteString("pack-\(trailer.hex)")
        try install(at: Places(base: base, keep: keep))
        return base
    }

    /// As ``install(in:keep:)``, each file to a place of its own.
    ///
    /// - Parameter isSynced: false where the files need not outlive a crash of the machine.
    package func install(at places: Places, isSynced: Bool = true) throws(StoreError) {
        var made: [ByteString] = []
        func make(
            _ path: ByteString, _ body: (ByteString) throws(StoreError) -> Void
        ) throws(StoreError) {
            let isNew = !FileSystem.exists(path)
            try body(path)
            if isNew { made.append(path) }
        }
        do throws(StoreError) {
            if let keep = places.keep {
                try make(keep.path) { path throws(StoreError) in
                    try Self.write(keep.content.bytes, to: path, mode: 0o600, isSynced: isSynced)
                }
            }
            if let pack = places.pack {
                if FileSystem.exists(pack), FileSystem.exists(places.index) { return }
                try make(pack) { path throws(StoreError) in
                    try file.install(as: path, isSynced: isSynced)
                }
            }
            if let reverseIndex = places.reverseIndex {
                try make(reverseIndex) { path throws(StoreError) in
                    try Self.write(reverseIndexBytes(), to: path, mode: 0o444, isSynced: isSynced)
                }
            }
            try make(places.index) { path throws(StoreError) in
                try Self.write(indexBytes(), to: path, mode: 0o444, isSynced: isSynced)
            }
        } catch {
            for path in made { try? FileSystem.remove(path) }
            throw error
        }
    }

    /// Writes a file that goes with a pack: whole and on the disk before it has its name.
    package static func write(
        _ bytes: [UInt8], to path: ByteString, mode: mode_t, isSynced: Bool = true
    ) throws(StoreError) {
        let directory = ByteString(path.bytes[..<(path.bytes.lastIndex(of: 0x2f) ?? 0)])
        let file = try FileSystem.createTemporary(
            in: directory.isEmpty ? "." : directory, prefix: "tmp_idx_")
        do throws(StoreError) {
            try file.write(bytes)
            if isSynced { try file.sync() }
            guard fchmod(file.descriptor, FileSystem.underUmask(mode)) == 0 else {
                throw .system("chmod", file.path)
            }
            try FileSystem.rename(file.path, to: path)
        } catch {
            try? FileSystem.remove(file.path)
            throw error
        }
    }
}
