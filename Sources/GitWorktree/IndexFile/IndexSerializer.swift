import GitCore

extension Index {
    /// The content of an index file: version 2, or 3 where an entry has flags that need it.
    public func serialized() -> [UInt8] {
        let version: UInt32 = entries.contains(where: \.needsExtendedFlags) ? 3 : 2
        var out: [UInt8] = []
        out.reserveCapacity(entries.count * 104 + 4_096)
        out += Array("DIRC".utf8)
        append(version, to: &out)
        append(UInt32(truncatingIfNeeded: entries.count), to: &out)
        for entry in entries { append(entry, to: &out) }
        if !cacheTree.isEmpty { append("TREE", cacheTree.serialized(), to: &out) }
        if let resolveUndo { append("REUC", resolveUndo, to: &out) }
        var hasher = PlainHasher(format)
        hasher.update(out)
        out += hasher.finalize().rawBytes
        return out
    }
}

extension IndexEntry {
    fileprivate var needsExtendedFlags: Bool { isSkippingWorktree || isIntentToAdd }
}

private func append(_ entry: IndexEntry, to out: inout [UInt8]) {
    let start = out.count
    let stat = entry.stat
    let words = (
        stat.ctimeSeconds.bigEndian, stat.ctimeNanoseconds.bigEndian, stat.mtimeSeconds.bigEndian,
        stat.mtimeNanoseconds.bigEndian, stat.device.bigEndian, stat.inode.bigEndian,
        entry.mode.rawValue.bigEndian, stat.uid.bigEndian, stat.gid.bigEndian, stat.size.bigEndian
    )
    withUnsafeBytes(of: words) { out += $0 }
    append(entry.oid, to: &out)
    let isExtended = entry.needsExtendedFlags
    append(
        UInt16(min(entry.path.count, 0xfff)) | UInt16(entry.stage & 3) << 12
            | (isExtended ? 0x4000 : 0) | (entry.isAssumedValid ? 0x8000 : 0), to: &out)
    if isExtended {
        append(
            UInt16(entry.isSkippingWorktree ? 0x4000 : 0) | (entry.isIntentToAdd ? 0x2000 : 0),
            to: &out)
    }
    out += entry.path.bytes
    repeat { out.append(0) } while (out.count - start) % 8 != 0
}

private func append(_ oid: ObjectID, to out: inout [UInt8]) {
    withUnsafeTemporaryAllocation(byteCount: oid.format.byteCount, alignment: 8) { buffer in
        oid.write(to: buffer)
        out += buffer
    }
}

private func append(_ signature: String, _ content: [UInt8], to out: inout [UInt8]) {
    out += Array(signature.utf8)
    append(UInt32(truncatingIfNeeded: content.count), to: &out)
    out += content
}

private func append(_ value: some FixedWidthInteger, to out: inout [UInt8]) {
    withUnsafeBytes(of: value.bigEndian) { out += $0 }
}
