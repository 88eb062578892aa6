// What a client that asks for files one by one needs to know (git-update-server-info):
//
//     <git directory>/info/refs     a line a ref: <hex oid> TAB <name>; behind a tag one more, with ^{}
//                                   after the name, for what the tag leads to
//     objects/info/packs            a line a pack: "P pack-<hash>.pack"; then an empty one

internal import GitCore

extension Repository {
    /// Writes what clients of a server that only hands out files look at.
    public func updateServerInfo() throws(StoreError) {
        var lines: [ByteString] = []
        for entry in try refs.list(prefix: "refs/") {
            let name = entry.name.bytes
            lines.append(ByteString(entry.oid.hexBytes) + "\t" + name + "\n")
            if let peeled = entry.peeled {
                lines.append(ByteString(peeled.hexBytes) + "\t" + name + "^{}\n")
            }
        }
        try replace(commonDirectory / "info", "refs", lines)
        try objects.refresh()
        let packs = objects.packPaths.map { path in
            let start = (path.bytes.lastIndex(of: 0x2f) ?? -1) + 1
            return "P " + ByteString(path.bytes[start...]) + ".pack\n"
        }
        try replace(objects.directory / "info", "packs", packs + ["\n"])
    }

    private func replace(
        _ directory: ByteString, _ name: ByteString, _ lines: [ByteString]
    ) throws(StoreError) {
        try FileSystem.createDirectory(directory)
        var lock = try LockFile(directory / name)
        try lock.write(lines.flatMap(\.bytes))
        try lock.finish()
        try lock.commit()
    }
}
