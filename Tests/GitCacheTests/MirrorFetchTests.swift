import GitClient
import GitCore
import GitStore
import GitWire
import Synchronization
import TestSupport
import Testing

@testable import GitCache
@testable import GitServer

/// What is fetched into mirrors, from upstreams that do as they should not.
@Suite(.timeLimit(.minutes(10))) struct MirrorFetchTests {
    private let scratch: TemporaryDirectory
    private let upstream: GitTransport

    init() throws {
        scratch = try TemporaryDirectory()
        upstream = GitTransport(scratch("upstream"))
        try Git.run(["init", "-q", "-b", "main", scratch("upstream")])
        try commit(300)
    }

    /// Commits a file of so many bytes that do not shrink.
    private func commit(_ size: Int) throws {
        _ = try scratch.write("upstream/file-\(size)", content(size, size))
        try Git.run(["add", "-A"], in: scratch("upstream"))
        try Git.run(["commit", "-q", "-m", "Change"], in: scratch("upstream"))
    }

    private func folder(_ limits: MirrorLimits = MirrorLimits()) throws -> MirrorFolder {
        try MirrorFolder(ByteString(scratch("mirrors")), budget: .max, limits: limits)
    }

    private struct Listing: Sendable {
        let session: UpstreamSession
        let refs: AdvertisedRefs
        var tips: [ObjectID] { refs.refs.map(\.oid) }
    }

    private func list() async throws -> Listing {
        let host = try UpstreamHost(parsing: "forge=http://forge.example/")
        let asked = GitCache.Upstream(UpstreamSender(upstream), CacheMetrics())
        let session = try await asked.open(
            RepositoryAddress(host: host, path: ["x.git"]),
            ClientCredentials(RequestHeaders([]), IdentityKey()))
        return Listing(session: session, refs: try await asked.refs(of: session, prefixes: []))
    }

    /// Has a thread of its own wait for what is wanted; what came of it.
    private func ensure(
        _ mirror: Mirror, _ listing: Listing, isGone: @escaping @Sendable () -> Bool = { false }
    ) async throws -> Result<Void, any Error> {
        let running = try Running {
            Result {
                try mirror.ensure(
                    listing.tips, with: listing.tips, shown: listing.refs, from: listing.session,
                    isGone: isGone)
            }
        }
        while !running.isDone { try await Task.sleep(for: .milliseconds(5)) }
        return try running.value()
    }

    private func comes(_ condition: () throws -> Bool) async throws -> Bool {
        for _ in 0 ..< 4_000 {
            if try condition() { return true }
            try await Task.sleep(for: .milliseconds(5))
        }
        return try condition()
    }

    /// What fetches leave while they run.
    private func leftovers(_ mirror: Mirror) throws -> [String] {
        let found = try run("find", [mirror.repository.gitDirectory.printable, "-name", "tmp_*"])
        return found.out.split(separator: "\n").map(String.init)
    }

    private func packs(_ mirror: Mirror) throws -> [ByteString] {
        try mirror.repository.objects.refresh()
        return mirror.repository.objects.packPaths
    }

    // MARK: A pack that is bad

    /// It is not the mirror's fault: the next fetch gets what is missing, and no more.
    @Test func aBadPackLeavesTheMirror() async throws {
        let folder = try folder()
        defer { folder.stop() }
        let mirror = try folder.mirror("forge/x", .sha1)
        try await ensure(mirror, try await list()).get()
        let before = try packs(mirror)
        try #require(before.count == 1)

        try commit(5_000)
        let listing = try await list()
        upstream.change {
            $0.changes = { bytes in
                var bytes = bytes
                bytes[bytes.count / 2] ^= 0x10
                return bytes
            }
        }
        let outcome = try await ensure(mirror, listing)
        let error = #expect(throws: PassedBy.self) {
            try PassedBy.catching({ try outcome.get() }) { folder.suspect(mirror, $0) }
        }
        #expect(error?.cause?.code == .corrupt)
        #expect(folder.has(mirror) && folder.names == ["forge/x"])
        #expect(try packs(mirror) == before && leftovers(mirror).isEmpty)

        upstream.change { $0.changes = nil }
        try await ensure(mirror, listing).get()
        #expect(folder.has(mirror))
        #expect(Set(before).isSubset(of: try packs(mirror)))
        // It said what it has, and a commit, a tree and a blob came.
        #expect(upstream.fetches.count == 3)
        #expect(upstream.fetches.last?.contains("have ") == true)
        let counts = mirror.repository.objects.packCounts
        #expect(counts.first { !before.contains($0.path + ".pack") }?.count ?? 3 == 3, "\(counts)")
        #expect(MirrorCheck.fault(of: mirror.repository) == nil)
    }

    /// If the next is bad as well, it may be for what is here.
    @Test func afterTwoBadPacksTheMirrorIsMadeAnew() async throws {
        let folder = try folder()
        defer { folder.stop() }
        let mirror = try folder.mirror("forge/x", .sha1)
        try await ensure(mirror, try await list()).get()
        try commit(5_000)
        let listing = try await list()
        upstream.change {
            $0.changes = { bytes in
                var bytes = bytes
                bytes[bytes.count / 2] ^= 0x10
                return bytes
            }
        }
        for number in 1 ... 2 {
            let outcome = try await ensure(mirror, listing)
            #expect(throws: PassedBy.self) {
                try PassedBy.catching({ try outcome.get() }) { folder.suspect(mirror, $0) }
            }
            #expect(folder.has(mirror) == (number == 1))
        }
    }

    // MARK: A pack without an end

    private func sendWithoutEnd(every pause: Duration? = nil) {
        upstream.change {
            $0.changes = { _ in EndlessPack.start }
            $0.continues = {
                if let pause { try await Task.sleep(for: pause) }
                return EndlessPack.piece
            }
        }
    }

    @Test func aFetchThatNobodyWaitsForIsEnded() async throws {
        let folder = try folder(MirrorLimits(patience: .milliseconds(600)))
        defer { folder.stop() }
        let mirror = try folder.mirror("forge/x", .sha1)
        let listing = try await list()
        sendWithoutEnd(every: .milliseconds(20))

        // As long as somebody waits it goes on.
        let start = ContinuousClock.now
        let isGone = Mutex(false)
        async let waiting = ensure(mirror, listing) { isGone.withLock { $0 } }
        #expect(try await comes { !(try leftovers(mirror).isEmpty) })
        while ContinuousClock.now - start < .milliseconds(1_500) {
            folder.endUnwantedFetches()
            try await Task.sleep(for: .milliseconds(50))
        }
        #expect(mirror.isFetching && upstream.endedFetches == 0)
        isGone.withLock { $0 = true }
        let outcome = try await waiting
        #expect(code { try outcome.get() } == .cancelled)

        // Somebody may come again at once.
        folder.endUnwantedFetches()
        #expect(mirror.isFetching)
        #expect(
            try await comes {
                folder.endUnwantedFetches()
                return !mirror.isFetching
            })
        #expect(try await comes { upstream.endedFetches == 1 })
        #expect(try leftovers(mirror).isEmpty && packs(mirror).isEmpty && folder.has(mirror))
        // The next begins anew.
        upstream.change { ($0.changes, $0.continues) = (nil, nil) }
        try await ensure(mirror, listing).get()
    }

    @Test func aPackThatIsTooLargeIsGivenUp() async throws {
        let limits = MirrorLimits(packSize: 3 << 20)
        let folder = try folder(limits)
        defer { folder.stop() }
        let mirror = try folder.mirror("forge/x", .sha1)
        let listing = try await list()
        sendWithoutEnd()
        // Many wait, and one fetch is made.
        try await withThrowingTaskGroup(of: Result<Void, any Error>.self) { group in
            for _ in 0 ..< 8 { group.addTask { try await ensure(mirror, listing) } }
            for try await outcome in group {
                let error = #expect(throws: PassedBy.self) {
                    try PassedBy.catching({ try outcome.get() }) { folder.suspect(mirror, $0) }
                }
                #expect(
                    error?.cause?.message
                        == "upstream's pack has more than 3145728 bytes (cache.maxPackSize)")
            }
        }
        #expect(upstream.fetches.count == 1)
        #expect(try await comes { upstream.endedFetches == 1 })
        #expect(try leftovers(mirror).isEmpty && packs(mirror).isEmpty && folder.has(mirror))

        // Where more is allowed it is tried again.
        upstream.change { ($0.changes, $0.continues) = (nil, nil) }
        await #expect(throws: StoreError.self) { try await ensure(mirror, listing).get() }
        limits.maximumPackSize = 4 << 20
        try await ensure(mirror, listing).get()
        #expect(upstream.fetches.count == 2)
    }

    /// It is no reason to withhold that.
    @Test func whatIsHereStaysOfUse() async throws {
        let folder = try folder(MirrorLimits(packSize: 3 << 20))
        defer { folder.stop() }
        let mirror = try folder.mirror("forge/x", .sha1)
        let before = try await list()
        try await ensure(mirror, before).get()
        try commit(5_000)
        sendWithoutEnd()
        let after = try await list()
        await #expect(throws: StoreError.self) { try await ensure(mirror, after).get() }
        try await ensure(mirror, before).get()
        let first = try mirror.beginFirst(PackRequest(), after.refs, after.session) { false }
        #expect(first == nil)
        #expect(try leftovers(mirror).isEmpty && packs(mirror).count == 1)
        #expect(upstream.fetches.count == 2)
    }

    @Test func aDiskThatIsNearlyFullEndsIt() async throws {
        let free = Mutex<UInt64>(100 << 30)
        let limits = MirrorLimits { _ in
            DiskSpace(free: free.withLock { $0 }, total: 200 << 30)
        }
        let folder = try folder(limits)
        defer { folder.stop() }
        let mirror = try folder.mirror("forge/x", .sha1)
        let listing = try await list()
        sendWithoutEnd(every: .milliseconds(1))
        async let waiting = ensure(mirror, listing)
        #expect(try await comes { upstream.fetches.count == 1 })
        free.withLock { $0 = 1 << 30 - 1 }
        let outcome = try await waiting
        let error = #expect(throws: StoreError.self) { try outcome.get() }
        #expect(error?.message == "the disk is nearly full, and upstream's pack has no end yet")
        #expect(try leftovers(mirror).isEmpty && packs(mirror).isEmpty)
    }

    @Test func aPackOfTooManyObjectsIsGivenUp() throws {
        let bound = PackBound(MirrorLimits(), "/")
        let head = Array("PACK".utf8) + [0, 0, 0, 2]
        #expect(throws: Never.self) { try bound.see(.pack(head[...])) }
        #expect(throws: Never.self) { try bound.see(.progress(head[...])) }
        #expect(throws: Never.self) { try bound.see(.pack([0x02, 0xfa, 0xf0])) }
        // One more than 50 million, a byte at a time.
        let error = #expect(throws: ClientError.self) { try bound.see(.pack([0x81])) }
        #expect((error?.cause as? StoreError)?.code == .limit)
        let other = PackBound(MirrorLimits(), "/")
        #expect(throws: Never.self) { try other.see(.pack(head + [0x02, 0xfa, 0xf0, 0x80])) }
    }

    /// A small disk has a small reserve.
    @Test func theReserveOfADiskIsAPartOfIt() {
        #expect(DiskSpace(free: 0, total: 100 << 20).reserve == 5 << 20)
        #expect(DiskSpace(free: 0, total: 1 << 50).reserve == 1 << 30)
        #expect(DiskSpace("/").map { $0.free <= $0.total && $0.total > 0 } == true)
        #expect(DiskSpace("/no/such/place") == nil)
    }
}
