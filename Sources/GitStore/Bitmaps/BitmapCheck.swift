internal import GitCore

extension ObjectDatabase {
    /// Holds the bitmaps of this store's packs against their hashes, and looks whether they are for their packs;
    /// tells of each fault in a line. ``checkMultiPackIndex(reporting:)`` does so with those of all packs.
    package func checkBitmaps(reporting report: (String) -> Void) throws(StoreError) {
        for path in packPaths where FileSystem.exists(path + ".bitmap") {
            do throws(StoreError) {
                // Opened anew: what was read before is not what is on the disk now.
                _ = try Pack(path, format, OpenPacks()).bitmaps()
            } catch  where error.code == .corrupt {
                report(error.message)
            }
        }
    }
}
