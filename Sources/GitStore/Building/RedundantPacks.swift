internal import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// Removes packs whose objects are elsewhere by now.
struct RedundantPacks {
    private let directory: ByteString
    private let listing: PackListing

    /// The index first: without it nobody looks into a pack.
    private static let endings: [ByteString] = [
        ".idx", ".pack", ".rev", ".keep", ".bitmap", ".promisor", ".mtimes",
    ]

    init(_ objects: ObjectDatabase) {
        directory = objects.directory / "pack"
        listing = objects.packs.listing
    }

    /// - Parameter names: without an ending.
    func remove(_ names: [ByteString]) throws(StoreError) {
        if let covered = listing.covered, covered.index.packNames.contains(where: names.contains) {
            try removeMultiPackIndex(covered.index)
        }
        for name in names {
            for ending in Self.endings { try FileSystem.remove(directory / name + ending) }
        }
    }

    private func removeMultiPackIndex(_ index: MultiPackIndex) throws(StoreError) {
        try FileSystem.remove(index.path)
        for ending in ["bitmap", "rev"] {
            try FileSystem.remove(index.path + ByteString("-\(index.checksum.hex).\(ending)"))
        }
    }
}

/// Removes loose objects that a pack has, too (git-prune-packed).
package struct PackedLooseObjects {
    private let objects: ObjectDatabase

    package init(_ objects: ObjectDatabase) { self.objects = objects }

    package func remove() throws(StoreError) {
        for oid in try objects.loose.oids() {
            for store in objects.stores where try store.packs.find(oid) != nil {
                try FileSystem.remove(objects.loose.path(oid))
                break
            }
        }
        for first in 0 ..< 256 {
            let hex = String(first, radix: 16)
            let folder = objects.directory / ByteString(first < 16 ? "0" + hex : hex)
            // What is not empty stays.
            _ = folder.withCString { rmdir($0) }
        }
    }
}

extension FileSystem {
    /// Has the system put on the disk what was changed in a directory.
    static func syncDirectory(_ path: ByteString) throws(StoreError) {
        try File(path, O_RDONLY | O_DIRECTORY).sync()
    }
}

extension Pack {
    /// Its file's name without an ending.
    var name: ByteString {
        let start = (path.bytes.lastIndex(of: 0x2f) ?? -1) + 1
        return ByteString(path.bytes[start...]).dropLast(5)
    }
}
