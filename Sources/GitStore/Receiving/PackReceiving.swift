internal import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

extension Quarantine {
    /// Takes in a pack that somebody pushes: verifies it, completes it from the repository if it is thin,
    /// checks its objects, and keeps it or parts it into loose objects. On the calling thread, which waits
    /// in `source` for bytes.
    ///
    /// - Parameters:
    ///   - progress: where it is noted how far it is, for any thread to read.
    ///   - notice: is told of faults in objects, a line each. Safe to print.
    ///   - source: gives the next bytes of the pack, none for its end.
    /// - Returns: how many objects came.
    /// - Throws: ``StoreError/Code/corrupt``; ``StoreError/Code/limit``; ``StoreError/Code/cancelled``;
    ///   what `source` threw, if that is no ``StoreError``, as the cause of one.
    @discardableResult
    public func receive(
        _ settings: ReceiveSettings = ReceiveSettings(), progress: PackProgress = PackProgress(),
        notice: (String) -> Void = { _ in }, from source: () throws -> ArraySlice<UInt8>?
    ) throws(StoreError) -> Int {
        try receivePack(settings, progress: progress, notice: notice, from: source).receivedCount
    }

    /// As ``receive(_:progress:notice:from:)``; gives the pack, for questions on what came.
    package func receivePack(
        _ settings: ReceiveSettings, progress: PackProgress = PackProgress(),
        notice: (String) -> Void = { _ in }, from source: () throws -> ArraySlice<UInt8>?
    ) throws(StoreError) -> IndexedPack {
        let pack = try index(settings, progress, source)
        let received = pack.receivedCount
        guard received > 0 else { return pack }
        let isUnpacked = received < settings.unpackLimit
        let keep = isUnpacked ? nil : Self.keepMessage(of: settings.holder)
        try hold(pack, keep: keep, isSynced: !isUnpacked)
        if settings.checksObjects {
            try check(pack, settings.policy, threads: settings.threads) { found in
                notice(
                    "\(found.isError ? "error" : "warning"): object \(found.oid): "
                        + "\(found.fault.id): \(found.fault.message)")
            }
        }
        if isUnpacked { try unpack(pack) }
        return pack
    }

    private func index(
        _ settings: ReceiveSettings, _ progress: PackProgress,
        _ source: () throws -> ArraySlice<UInt8>?
    ) throws(StoreError) -> IndexedPack {
        var options = PackIndexer.Options()
        options.threads = settings.threads
        options.limits = settings.limits
        options.memory = settings.memory
        // Whether what the refs lead to is there is looked at by itself.
        options.findsMissingLinks = settings.findsMissingLinks
        options.thinBases = destination
        options.progress = progress
        options.cancellation = cancellation
        let indexer = try PackIndexer(
            directory: directory / "pack", format: database.format, options: options)
        var size: UInt64 = 0
        while let bytes = try next(source) {
            try cancellation.check()
            size += UInt64(bytes.count)
            if let most = settings.maximumSize, size > most {
                throw StoreError(.limit, "pack exceeds maximum allowed size (\(most) bytes)")
            }
            try bytes.span.withUnsafeBytes { bytes throws(StoreError) in
                try indexer.append(bytes)
            }
        }
        return try indexer.finish()
    }

    private func next(
        _ source: () throws -> ArraySlice<UInt8>?
    ) throws(StoreError) -> ArraySlice<UInt8>? {
        do { return try source() } catch {
            throw (error as? StoreError) ?? StoreError(.system, "\(error)", cause: error)
        }
    }

    /// As Git's programs write it.
    private static func keepMessage(of holder: ByteString) -> ByteString {
        holder + " " + ByteString("\(getpid())") + " on " + HostName.short + "\n"
    }
}
