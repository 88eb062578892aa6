internal import GitCore
internal import GitStore
internal import GitWire

// git-config, "uploadpack.blobPackfileUri" (Git's technical/packfile-uri), any number of:
//
//     <id of a blob> SP <checksum of a pack> SP <URI of that pack>

/// Blobs that clients can download elsewhere, in packs.
struct BlobURIs: Sendable {
    private let entries: [(blob: ObjectID, scheme: ByteString, pack: PackfileURI)]

    private static let key = "uploadpack.blobpackfileuri"
    private static let longest = 8_192

    /// - Throws: ``StoreError/Code/invalid`` with Git's words.
    init(_ config: Config, _ format: ObjectFormat) throws(StoreError) {
        var entries: [(ObjectID, ByteString, PackfileURI)] = []
        var known: Set<ObjectID> = []
        for value in config.strings(Self.key) {
            guard let (blob, scheme, pack) = Self.entry(value, format) else {
                throw StoreError(
                    .invalid,
                    "value of \(Self.key) must be of the form '<object-hash> <pack-hash> <uri>' (got '\(value)')"
                )
            }
            guard known.insert(blob).inserted else {
                throw StoreError(
                    .invalid, "object already configured in another \(Self.key) (got '\(value)')")
            }
            entries.append((blob, scheme, pack))
        }
        self.entries = entries
    }

    private static func entry(
        _ value: ByteString, _ format: ObjectFormat
    ) -> (ObjectID, ByteString, PackfileURI)? {
        let parts = value.bytes.split(
            separator: 0x20, maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let blob = ObjectID(hex: ByteString(parts[0])),
            let checksum = ObjectID(hex: ByteString(parts[1])),
            blob.format == format, checksum.format == format,
            !parts[2].isEmpty, parts[2].count <= longest,
            parts[2].allSatisfy({ $0 > 0x20 && $0 < 0x7f })
        else { return nil }
        let scheme = ByteString(parts[2].prefix { $0 != UInt8(ascii: ":") })
        return (blob, scheme, PackfileURI(checksum, String(decoding: parts[2], as: UTF8.self)))
    }

    var isEmpty: Bool { entries.isEmpty }

    /// Those that can be had by one of `protocols`.
    func blobs(by protocols: [ByteString]) -> Set<ObjectID> {
        let protocols = Set(protocols)
        return Set(entries.filter { protocols.contains($0.scheme) }.map(\.blob))
    }

    /// The packs of `blobs`, each once, in the order of the configuration.
    func packs(of blobs: Set<ObjectID>) -> [PackfileURI] {
        var told: Set<PackfileURI> = []
        return entries.filter { blobs.contains($0.blob) && told.insert($0.pack).inserted }
            .map(\.pack)
    }
}
