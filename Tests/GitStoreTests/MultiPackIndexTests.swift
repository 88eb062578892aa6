import GitCore
import Testing

@testable import GitStore

/// An index of many packs, as git writes it: what is found with it, and what where it is wrong.
@Suite struct MultiPackIndexTests {
    let scratch: PackScratch
    init() throws { scratch = try PackScratch() }

    static let file = "w/.git/objects/pack/multi-pack-index"

    private func open(
        _ format: ObjectFormat = .sha1, usesIndex: Bool = true
    ) throws -> ObjectDatabase {
        var settings = ObjectDatabase.Settings()
        settings.usesMultiPackIndex = usesIndex
        return try ObjectDatabase(
            objectsDirectory: scratch["w/.git/objects"], format: format, settings: settings)
    }

    /// Several packs of one history, with objects that two of them have, under an index of them all;
    /// then, not in it, a pack more and a loose object.
    private func make(_ format: ObjectFormat = .sha1, commits: Int = 40) throws {
        try PackFixture.history(scratch, commits: commits, format: format)
        let original = try packs("")
        func pack(_ path: String, _ revisions: String) throws {
            try scratch.git(
                "pack-objects", "--revs", "-q", "--delta-base-offset", path, in: "w",
                input: Array(revisions.utf8))
        }
        try pack(".git/pack-e", "side\nrefs/tags/v1-again\nrefs/tags/tree\nrefs/tags/blob\n^main\n")
        for (name, revisions) in [
            ("a", "main~4\n"), ("b", "main~2\n^main~4\n"), ("c", "main~3\n"),
            ("d", "main\n^main~2\n"),
        ] {
            try pack(".git/objects/pack/pack-\(name)", revisions)
        }
        for name in original { try FileSystem.remove(scratch[name]) }
        try scratch.git("multi-pack-index", "write", in: "w")
        try scratch.git("multi-pack-index", "verify", in: "w")
        for name in try scratch.list("w/.git") where name.hasPrefix("pack-e") {
            try FileSystem.rename(
                scratch["w/.git/" + name], to: scratch["w/.git/objects/pack/" + name])
        }
        try scratch.git("prune-packed", in: "w")
        try scratch.git("hash-object", "-w", "--stdin", in: "w", input: Array("loose".utf8))
    }

    private func packs(_ ending: String = ".pack") throws -> [String] {
        try scratch.list("w/.git/objects/pack").filter { $0.hasSuffix(ending) }
            .map { "w/.git/objects/pack/" + $0 }
    }

    /// Every object that git lists is found, read and measured; says the ids.
    @discardableResult
    private func expectAll(
        _ store: ObjectDatabase, of listed: [String]? = nil, isFaulty: Bool = false,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> [ObjectID] {
        let faults = Faults()
        store.tellOfFaults(faults.add)
        let listed = try listed ?? list()
        let ids = try listed.map { try #require(ObjectID(hex: $0)) }
        #expect(try store.allObjectIDs() == ids, sourceLocation: sourceLocation)
        for id in ids {
            #expect(try store.contains(id), sourceLocation: sourceLocation)
            let object = try store.read(id)
            #expect(try identify(object, store.format) == id, sourceLocation: sourceLocation)
            let header = try store.header(id)
            #expect(header.kind == object.kind, sourceLocation: sourceLocation)
            #expect(header.size == UInt64(object.content.count), sourceLocation: sourceLocation)
        }
        #expect(faults.all.isEmpty == !isFaulty, "\(faults.all)", sourceLocation: sourceLocation)
        return ids
    }

    private func list() throws -> [String] {
        try scratch.git(
            "cat-file", "--batch-all-objects", "--batch-check=%(objectname)", in: "w"
        ).lines
    }

    // MARK: Right ones

    @Test(arguments: ObjectFormat.allCases) func objectsAreFoundWithIt(format: ObjectFormat) throws
    {
        try make(format)
        let store = try open(format)
        let listing = store.packs.listing
        #expect(listing.covered?.packs.count == 4)
        #expect(listing.others.count == 1)
        #expect(listing.paths.count == 5)
        try expectAll(store)
        #expect(try !store.contains(oid(.blob, Array("none".utf8), format)))
        let plain = try open(format, usesIndex: false)
        #expect(plain.packs.listing.covered == nil)
        #expect(plain.packs.listing.others.count == 5)
        try expectAll(plain)
    }

    @Test func everyRowIsWhatGitSays() throws {
        try make()
        let index = try MultiPackIndex(scratch[Self.file], .sha1)
        #expect(index.packNames.count == 4)
        for row in 0 ..< index.oids.count {
            let place = try index.place(row: row)
            let pack = try PackIndexFile(
                scratch["w/.git/objects/pack"] / index.packNames[place.pack] + ".idx", .sha1)
            let own = try #require(pack.row(of: index.oids.oid(row: row)))
            #expect(try pack.offset(row: own) == place.offset)
        }
        #expect(index.oids.firstFault() == nil)
    }

    @Test func abbreviationsAreFoundWithIt() throws {
        try make()
        let (store, plain) = (try open(), try open(usesIndex: false))
        for id in try store.allObjectIDs() {
            for length in [2, 4, 40] {
                let prefix = ByteString(id.hexBytes.prefix(length))
                let found = try store.candidates(prefix: prefix)
                #expect(found.contains(id))
                #expect(try found == plain.candidates(prefix: prefix))
            }
        }
    }

    @Test func configurationSwitchesItOff() throws {
        try make()
        let folder = scratch["w/.git"]
        let used = try Repository.open(gitDirectory: folder)
        #expect(used.objects.packs.listing.covered != nil)
        try scratch.git("config", "core.multiPackIndex", "false", in: "w")
        try scratch.git("config", "core.deltaBaseCacheLimit", "3m", in: "w")
        let unused = try Repository.open(gitDirectory: folder)
        #expect(unused.objects.packs.listing.covered == nil)
        #expect(unused.objects.settings.deltaBaseCacheLimit == 3 << 20)
    }

    /// git makes large offsets of offsets over 2^32, which no test writes a pack for: a table of them is
    /// put in by hand.
    @Test func offsetsInTheTableOfLargeOnes() throws {
        try make()
        let bytes = try scratch.read(Self.file)
        var parts = Parts(bytes)
        var places = try #require(parts["OOFF"])
        var large: [UInt8] = []
        for start in stride(from: 4, to: places.count, by: 8) {
            large += [0, 0, 0, 0] + places[start ..< start + 4]
            let row = UInt32(large.count / 8 - 1) | 1 << 31
            places.replaceSubrange(start ..< start + 4, with: PackBuilder.bigEndian(row))
        }
        parts["OOFF"] = places
        parts["LOFF"] = large
        try scratch.write(parts.bytes, to: Self.file)
        let store = try open()
        #expect(store.packs.listing.covered != nil)
        try expectAll(store)
        // A table that is too short for some.
        parts["LOFF"] = Array(large.dropLast(80))
        try scratch.write(parts.bytes, to: Self.file)
        try expectAll(open(), isFaulty: true)
    }

    /// Version 2 lists its packs in any order.
    @Test func versionTwoIsRead() throws {
        try make()
        let all = try list()
        var bytes = try scratch.read(Self.file)
        bytes[4] = 2
        try scratch.write(PackBuilder.resealed(bytes), to: Self.file)
        let store = try open()
        #expect(store.packs.listing.covered != nil)
        try expectAll(store, of: all)
    }

    @Test func indexThatIsWrittenLaterIsSeen() throws {
        try make()
        let bytes = try scratch.read(Self.file)
        try FileSystem.remove(scratch[Self.file])
        let store = try open()
        #expect(store.packs.listing.covered == nil)
        try scratch.write(bytes, to: Self.file)
        try store.refresh()
        #expect(store.packs.listing.covered != nil)
        try expectAll(store)
    }

    // MARK: Packs that are not as it says

    @Test func packThatIsGoneIsLookedForNoMore() throws {
        try make()
        // Its objects are in packs a, b and d, too, though the index may name this one for them.
        for name in try packs("").filter({ $0.contains("/pack-c-") }) {
            try FileSystem.remove(scratch[name])
        }
        let store = try open()
        #expect(store.packs.listing.covered == nil)
        let plain = try open(usesIndex: false)
        try expectAll(store, of: plain.allObjectIDs().map(\.hex))
    }

    @Test func packsThatGoWhileTheStoreIsOpen() throws {
        try make()
        let store = try open()
        let all = try expectAll(store)
        try scratch.git("repack", "-adq", in: "w")
        for id in all where try open().contains(id) {
            #expect(try identify(store.read(id), .sha1) == id)
        }
    }

    /// What only the damaged pack has is missing; the rest is there, whichever pack the index names.
    @Test(arguments: [".pack", ".idx"]) func coveredPackThatIsDamaged(ending: String) throws {
        try make()
        let all = try list()
        let others = try scratch.git("rev-list", "--objects", "main~4", in: "w").lines
        for name in try packs(ending) where name.contains("/pack-c-") || name.contains("/pack-d-") {
            try scratch.write(Array(scratch.read(name).dropLast(30)), to: name)
        }
        let store = try open()
        let faults = Faults()
        store.tellOfFaults(faults.add)
        for line in others {
            let id = try #require(ObjectID(hex: line.prefix(40)))
            #expect(try identify(store.read(id), .sha1) == id)
        }
        var missing = 0
        for text in all {
            let id = try #require(ObjectID(hex: text))
            guard try !store.contains(id) else { continue }
            missing += 1
            expectStoreError(.notFound) { try store.read(id) }
        }
        #expect(missing > 0)
        #expect(!faults.all.isEmpty)
        #expect(try store.allObjectIDs().map(\.hex) == all)
    }

    // MARK: Wrong files

    @Test func truncatedIndexesArePassedOver() throws {
        try make(commits: 12)
        let (bytes, all) = (try scratch.read(Self.file), try list())
        for end in stride(from: 0, to: bytes.count, by: 101) {
            try scratch.write(Array(bytes[..<end]), to: Self.file)
            expectStoreError(.corrupt) { try MultiPackIndex(scratch[Self.file], .sha1) }
        }
        for end in [0, 3, 20, 500, bytes.count - 30] {
            try scratch.write(Array(bytes[..<end]), to: Self.file)
            let store = try open()
            #expect(store.packs.listing.covered == nil)
            try expectAll(store, of: all, isFaulty: true)
        }
    }

    /// Whatever is wrong with it: an object or an error, and as long as it is in use.
    @Test func bytesFlipped() throws {
        try make(commits: 8)
        let bytes = try scratch.read(Self.file)
        let ids = try list().map { try #require(ObjectID(hex: $0)) }
        for index in stride(from: 0, to: bytes.count - 20, by: 5) {
            var flipped = bytes
            flipped[index] ^= [0x01, 0x80, 0xff][index / 5 % 3]
            try scratch.write(PackBuilder.resealed(flipped), to: Self.file)
            let store = try open()
            _ = try store.allObjectIDs()
            for id in ids {
                do { _ = try store.read(id) } catch {
                    #expect(
                        [.corrupt, .limit, .notFound].contains(error.code), "\(index): \(error)")
                    // An id that the index no longer names is that of a covered pack.
                    #expect(store.packs.listing.covered != nil, "\(index): \(error)")
                }
            }
        }
    }

    @Test func offsetsThatLeadNowhere() throws {
        try make(commits: 12)
        let all = try list()
        let bytes = try scratch.read(Self.file)
        for wrong in [0, 1, 13, 1 << 31 - 1, .max] as [UInt32] {
            var parts = Parts(bytes)
            var places = try #require(parts["OOFF"])
            for start in stride(from: 4, to: places.count, by: 8) {
                places.replaceSubrange(start ..< start + 4, with: PackBuilder.bigEndian(wrong))
            }
            parts["OOFF"] = places
            try scratch.write(parts.bytes, to: Self.file)
            try expectAll(open(), of: all, isFaulty: true)
        }
    }

    @Test func numbersOfPacksThatAreNotThere() throws {
        try make(commits: 12)
        let all = try list()
        var parts = Parts(try scratch.read(Self.file))
        var places = try #require(parts["OOFF"])
        for start in stride(from: 0, to: places.count, by: 8) { places[start + 3] = 4 }
        parts["OOFF"] = places
        try scratch.write(parts.bytes, to: Self.file)
        try expectAll(open(), of: all, isFaulty: true)
    }

    @Test func tablesThatLie() throws {
        try make(commits: 6)
        let good = Parts(try scratch.read(Self.file))
        func expectRefused(
            sourceLocation: SourceLocation = #_sourceLocation, _ change: (inout Parts) -> Void
        ) throws {
            var parts = good
            change(&parts)
            try scratch.write(parts.bytes, to: Self.file)
            expectStoreError(.corrupt, sourceLocation: sourceLocation) {
                try MultiPackIndex(scratch[Self.file], .sha1)
            }
            #expect(try open().packs.listing.covered == nil, sourceLocation: sourceLocation)
        }
        for name in ["PNAM", "OIDF", "OIDL", "OOFF"] {
            try expectRefused { $0[name] = nil }
            try expectRefused { $0[name] = [] }
        }
        for name in ["OIDF", "OIDL", "OOFF"] {
            try expectRefused { $0[name]?.removeLast() }
            try expectRefused { $0[name]?.append(0) }
        }
        try expectRefused { $0["OIDF"]?[0] = 0xff }
        try expectRefused { $0["PNAM"]?.removeAll { $0 == 0 } }
        try expectRefused { $0["PNAM"]?[5] = 0x2f }
        try expectRefused { $0.header[4] = 3 }
        try expectRefused { $0.header[5] = 2 }
        try expectRefused { $0.header[7] = 1 }
        try expectRefused { $0.header[8] = 0xff }
        try expectRefused { $0.header[11] += 1 }
        try expectRefused { $0.chunks.append($0.chunks[0]) }
        // One that is not known is passed over.
        var more = good
        more["NEWC"] = [1, 2, 3, 4]
        try scratch.write(more.bytes, to: Self.file)
        #expect(try open().packs.listing.covered != nil)
    }

    // MARK: Its parts

    /// A file taken apart, to be put together again.
    private struct Parts {
        var header: [UInt8]
        var chunks: [(name: String, bytes: [UInt8])] = []

        init(_ file: [UInt8]) {
            header = Array(file[..<12])
            func number(_ start: Int) -> Int {
                file[start ..< start + 8].reduce(0) { $0 << 8 | Int($1) }
            }
            for chunk in 0 ..< Int(file[6]) {
                let at = 12 + chunk * 12
                chunks.append(
                    (
                        String(decoding: file[at ..< at + 4], as: UTF8.self),
                        Array(file[number(at + 4) ..< number(at + 16)])
                    ))
            }
        }

        subscript(name: String) -> [UInt8]? {
            get { chunks.first { $0.name == name }?.bytes }
            set {
                guard let index = chunks.firstIndex(where: { $0.name == name }) else {
                    if let newValue { chunks.append((name, newValue)) }
                    return
                }
                if let newValue { chunks[index].bytes = newValue } else { chunks.remove(at: index) }
            }
        }

        var bytes: [UInt8] {
            var out = header
            out[6] = UInt8(chunks.count)
            var offset = UInt64(12 + (chunks.count + 1) * 12)
            for (name, bytes) in chunks {
                out += Array(name.utf8) + PackBuilder.bigEndian(offset)
                offset += UInt64(bytes.count)
            }
            out += [0, 0, 0, 0] + PackBuilder.bigEndian(offset)
            for (_, bytes) in chunks { out += bytes }
            return PackBuilder.sealed(out)
        }
    }
}
