import GitCore
import GitStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// Keeps mirrors within what they may take on the disk: those that were not used for longest leave, never one
/// that somebody reads from or fetches into.
extension MirrorFolder {
    /// To be called now and then: what one was found to take counts until it is used again.
    ///
    /// - Returns: the mirrors that were removed, to let go of.
    func keepWithinBudget() -> [Mirror] {
        measure()
        var removed: [Mirror] = []
        while let place = takeOldest(over: budget) {
            // What cannot be removed goes when the folder is opened next.
            try? FileSystem.removeTree(place.directory)
            if let mirror = place.mirror { removed.append(mirror) }
        }
        return removed
    }

    /// Lets go of the open files of mirrors that nobody has used for a while, and of those longest not used
    /// where more than `most` are open: each has some file descriptors.
    ///
    /// - Returns: those mirrors, to let go of.
    func closeIdle(most: Int = mostOpen) -> [Mirror] {
        let before = millisecondsSince1970() &- Self.idleTime
        return places.withLock { places in
            let open = places.compactMapValues { $0.mirror == nil ? nil : $0.lastUse }
            var closed: [Mirror] = []
            for (name, lastUse) in open.sorted(by: { $0.value < $1.value }) {
                guard lastUse < before || open.count - closed.count > most else { break }
                if Self.isUsed(name, &places) { continue }
                if let mirror = places[name]?.mirror.take() { closed.append(mirror) }
            }
            return closed
        }
    }

    /// Ends fetches that nobody has waited for in a long time.
    func endUnwantedFetches() {
        let open = places.withLock { $0.values.compactMap(\.mirror) }
        for mirror in open { mirror.endUnwantedFetch() }
    }

    static var mostOpen: Int { 256 }

    /// In milliseconds.
    private static var idleTime: UInt64 { 600_000 }

    /// What all of them were found to take.
    var bytes: UInt64 { places.withLock { Self.total($0) } }

    /// Looks at what mirrors take that were used since that was looked at last.
    func measure() {
        let due = places.withLock { places in
            places.filter { ($0.value.measured?.at ?? 0) <= $0.value.lastUse }.mapValues(
                \.directory)
        }
        for (name, directory) in due {
            let now = millisecondsSince1970()
            let bytes = FileSystem.bytes(in: directory)
            places.withLock { places in
                guard places[name]?.directory == directory else { return }
                // Somebody who has it may go on to fetch into it.
                let isSettled = places[name]?.mirror == nil || !Self.isUsed(name, &places)
                places[name]?.measured = (bytes, isSettled ? now : 0)
            }
        }
    }

    private static func total(_ places: [ByteString: Place]) -> UInt64 {
        places.values.reduce(0) { sum, place in
            let (sum, overflows) = sum.addingReportingOverflow(place.measured?.bytes ?? 0)
            return overflows ? .max : sum
        }
    }

    /// Takes out the one used least recently, if all together are more than `budget`.
    private func takeOldest(over budget: UInt64) -> Place? {
        places.withLock { places in
            guard Self.total(places) > budget else { return nil }
            // Names alone: a copy of the place would be a use.
            let order = places.mapValues(\.lastUse).sorted { $0.value < $1.value }
            for (name, _) in order {
                if Self.isUsed(name, &places) { continue }
                if let place = try? takeOut(name, &places) { return place }
            }
            return nil
        }
    }

    /// Whether anybody but the folder has the mirror: a request, a fetch, the upkeep. It is given out under the
    /// lock alone.
    private static func isUsed(_ name: ByteString, _ places: inout [ByteString: Place]) -> Bool {
        guard var place = places.removeValue(forKey: name) else { return false }
        defer { places[name] = place }
        return place.mirror != nil && !isKnownUniquelyReferenced(&place.mirror)
    }
}

extension FileSystem {
    /// The deepest file of a repository: `objects/pack/…`, and what is being made beside it.
    private static var deepest: Int { 8 }

    /// Bytes that a directory takes on the disk with all that is in it. What vanishes meanwhile is not counted.
    static func bytes(in directory: ByteString, depth: Int = deepest) -> UInt64 {
        guard depth > 0, let names = try? list(directory) else { return 0 }
        var sum: UInt64 = 0
        for name in names {
            guard let status = status(directory / name, followLinks: false) else { continue }
            sum &+= UInt64(clamping: status.st_blocks) &* 512
            if status.st_mode & S_IFMT == S_IFDIR {
                sum &+= bytes(in: directory / name, depth: depth - 1)
            }
        }
        return sum
    }
}
