extension PackRequest {
    /// A request as the configuration has it (git-config, "pack", "core.compression").
    ///
    /// - Throws: ``StoreError/Code/invalid``.
    public init(_ config: Config) throws(StoreError) {
        self.init()
        if let value = try config.int("pack.window") { window = max(0, value) }
        if let value = try config.int("pack.depth") { depth = min(max(0, value), Self.deepest) }
        threads = try config.int("pack.threads") ?? 0
        guard threads >= 0 else {
            throw StoreError(.invalid, "invalid number of threads specified (\(threads))")
        }
        if threads == 0 { threads = Workers.processorCount }
        let general = try config.int("core.compression")
        let level = try config.int("pack.compression") ?? general ?? -1
        guard (-1 ... 9).contains(level) else {
            throw StoreError(.invalid, "bad pack compression level \(level)")
        }
        if level >= 0 { compressionLevel = Int32(level) }
    }

    /// Deltas one on another that Git makes at the most.
    private static let deepest = 4_095
}
