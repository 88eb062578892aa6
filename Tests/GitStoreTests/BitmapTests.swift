import Testing

@testable import GitCore
@testable import GitStore

@Suite struct BitmapTests {
    // MARK: Bits

    @Test func countsAndFindsItsNumbers() {
        var bitmap = Bitmap(count: 200)
        #expect(bitmap.isEmpty && bitmap.first(from: 0) == nil)
        for number in [0, 63, 64, 130, 199] { bitmap.insert(number) }
        #expect(bitmap.population == 5)
        #expect(bitmap.first(from: 65) == 130)
        #expect(bitmap.first(from: 200) == nil)
        bitmap.remove(130)
        #expect(bitmap.first(from: 65) == 199)
        var numbers: [Int] = []
        bitmap.forEach { numbers.append($0) }
        #expect(numbers == [0, 63, 64, 199])
        #expect(bitmap.prefix(64).population == 2)
        #expect(bitmap.prefix(65).population == 3)
        for (count, rest) in [(0, 4), (1, 3), (64, 2), (65, 1), (199, 1), (200, 0)] {
            var part = bitmap
            part.removeAll(under: count)
            #expect(part.population == rest, "\(count)")
        }
    }

    private func decode(_ bytes: [UInt8], count: Int) throws -> Bitmap {
        let scratch = try PackScratch()
        try scratch.write(bytes, to: "b")
        let file = try MappedFile(scratch["b"])
        var cursor = ByteCursor(file.bytes)
        let compressed = try EWAH(reading: &cursor)
        var bitmap = Bitmap(count: count)
        try compressed.symmetricDifference(into: &bitmap, file)
        return bitmap
    }

    @Test func isTheSameAfterItWasCompressed() throws {
        var random = PackRandom(state: 7)
        for count in [1, 63, 64, 65, 1_000, 20_000] {
            for style in 0 ..< 6 {
                var bitmap = Bitmap(count: count)
                for number in 0 ..< count {
                    let isIn =
                        switch style {
                        case 0: false
                        case 1: true
                        case 2: random.next() & 1 == 0
                        case 3: number / 500 % 2 == 0
                        case 4: number / 500 % 2 == 1 && random.next() % 50 > 0
                        default: number == count - 1
                        }
                    if isIn { bitmap.insert(number) }
                }
                var bytes: [UInt8] = []
                CompressedBitmap(bitmap).append(to: &bytes)
                #expect(try decode(bytes, count: count) == bitmap, "\(count) \(style)")
                let cost = CompressedBitmap.cost(of: bitmap, against: Bitmap(count: count))
                #expect(abs(cost - (bytes.count - 12) / 8) <= 1)
            }
        }
    }

    @Test func refusesMoreBitsThanThereAre() throws {
        var bitmap = Bitmap(count: 200)
        for number in [3, 199] { bitmap.insert(number) }
        var bytes: [UInt8] = []
        CompressedBitmap(bitmap).append(to: &bytes)
        #expect(throws: ParseError.self) { try decode(bytes, count: 199) }
        #expect(throws: ParseError.self) { try decode(bytes, count: 64) }
        // A run of ones of 2^32 - 1 words; literals that are not there.
        for head: UInt64 in [0x1_ffff_ffff, 0xffff_fffe_0000_0000, 5 << 33] {
            var bytes: [UInt8] = []
            bytes.append(bigEndian: 64 as UInt32)
            bytes.append(bigEndian: 1 as UInt32)
            bytes.append(bigEndian: head)
            bytes.append(bigEndian: 0 as UInt32)
            #expect(throws: ParseError.self) { try decode(bytes, count: 200) }
        }
    }

    /// The newest all, then fewer and fewer; tips before merges before others.
    @Test func choosesFewerOfOlderCommits() {
        func commit(_ number: Int) -> BitmapChoice.Commit {
            BitmapChoice.Commit(
                number: number, isTip: number == 30_123, isMerge: number % 7 == 0)
        }
        #expect(BitmapChoice.choose((0 ..< 99).map(commit)) == Array(0 ..< 99))
        let chosen = BitmapChoice.choose((0 ..< 50_000).map(commit))
        #expect(Array(chosen.prefix(101)) == Array(0 ... 100))
        #expect(chosen == chosen.sorted() && Set(chosen).count == chosen.count)
        #expect(chosen.contains(30_123))
        #expect(chosen[200...].filter { $0 % 7 == 0 }.count > chosen.count - 210)
        for (number, next) in zip(chosen, chosen.dropFirst()) where next < 19_000 {
            #expect(next - number <= 202)
        }
        #expect(chosen.count < 500)
    }

    // MARK: Files that git wrote

    private func repository(
        _ format: ObjectFormat = .sha1, index: Bool = false
    ) throws -> (scratch: PackScratch, commits: [String]) {
        let scratch = try PackScratch()
        try PackFixture.history(scratch, format: format)
        if index {
            let half = try scratch.git("rev-parse", "main~15", in: "w").line
            try scratch.git("repack", "-adq", in: "w")
            try scratch.git(
                "pack-objects", "-q", "--revs", ".git/objects/pack/pack", in: "w",
                input: Array("\(half)\n".utf8))
            try scratch.git("multi-pack-index", "write", "--bitmap", in: "w")
        } else {
            try scratch.git("repack", "-adbq", in: "w")
        }
        return (scratch, try scratch.git("rev-list", "--all", in: "w").lines)
    }

    private func database(_ scratch: PackScratch, _ format: ObjectFormat = .sha1) throws
        -> ObjectDatabase
    {
        try ObjectDatabase(objectsDirectory: scratch["w/.git/objects"], format: format)
    }

    @Test(arguments: ObjectFormat.allCases, [false, true])
    func saysWhatGitWalksTo(format: ObjectFormat, index: Bool) throws {
        let (scratch, commits) = try repository(format, index: index)
        try expectWhatGitWalksTo(scratch, commits, format)
    }

    /// Bitmaps that are written here; once more with what git wrote of the same.
    @Test(arguments: ObjectFormat.allCases, [false, true])
    func areWrittenRightly(format: ObjectFormat, index: Bool) throws {
        let (scratch, commits) = try repository(format, index: index)
        let theirs = try #require(try database(scratch, format).bitmaps())
        let folder = "w/.git/objects/pack"
        for name in try scratch.list(folder) where name.contains("multi") {
            try FileSystem.remove(scratch["\(folder)/\(name)"])
        }
        let repository = try Repository.open(gitDirectory: scratch["w/.git"])
        if index {
            var writer = MultiPackIndexWriter(repository.objects)
            writer.bitmaps = repository
            _ = try writer.write()
        } else {
            var options = RepackOptions()
            options.packsEverything = true
            options.removesRedundant = true
            options.writesBitmaps = true
            let summary = try Repacker(repository, options).run()
            #expect(summary.withoutBitmaps == nil)
        }
        let ours = try #require(try database(scratch, format).bitmaps())
        #expect(ours.file.entryCount == theirs.file.entryCount)
        var known = 0
        for bit in 0 ..< ours.count where ours.nameHash(bit: bit) != 0 {
            let other = try #require(theirs.bit(of: ours.oid(bit: bit)))
            // A file may have more than one path; and of many packs, git has none.
            if index || theirs.nameHash(bit: other) == ours.nameHash(bit: bit) { known += 1 }
        }
        #expect(theirs.file.hasNameHashes != index)
        #expect(known > 60)
        try expectWhatGitWalksTo(scratch, commits, format)
        try scratch.git("rev-list", "--test-bitmap", "main", in: "w")
        try scratch.git("fsck", "--full", in: "w")
    }

    private func expectWhatGitWalksTo(
        _ scratch: PackScratch, _ commits: [String], _ format: ObjectFormat
    ) throws {
        let bitmaps = try #require(try database(scratch, format).bitmaps())
        #expect(bitmaps.packCount > 0)
        var found = 0
        for commit in commits {
            let oid = try #require(ObjectID(hex: commit))
            let bit = try #require(bitmaps.bit(of: oid))
            #expect(bitmaps.oid(bit: bit) == oid)
            guard let reached = try bitmaps.reached(bit: bit) else { continue }
            found += 1
            var oids: Set<String> = []
            reached.forEach { oids.insert(bitmaps.oid(bit: $0).hex) }
            let walked = try scratch.git(
                "rev-list", "--objects", "--no-object-names", commit, in: "w"
            ).lines
            #expect(oids == Set(walked))
        }
        #expect(found > 5 && found == bitmaps.file.entryCount)
        var kinds: [Int] = []
        for kind in ObjectKind.allCases { kinds.append(try bitmaps.file.objects(kind).population) }
        #expect(kinds.reduce(0, +) == bitmaps.count)
        #expect(kinds[0] == commits.count)
    }

    private func pack(_ scratch: PackScratch, _ tips: [String]) throws -> ([UInt8], Int) {
        var request = PackRequest()
        request.wants = tips.compactMap { ObjectID(hex: $0) }
        var pack: [UInt8] = []
        let summary = try PackAssembler(request, from: database(scratch)).run {
            piece throws(StoreError) in pack += piece
        }
        return (pack, summary.packReused)
    }

    /// Wherever the files of the bitmaps are damaged, the answer is the same.
    @Test(arguments: [false, true]) func isPassedOverWhereItIsDamaged(index: Bool) throws {
        let (scratch, _) = try repository(index: index)
        let tips = try scratch.git("for-each-ref", "--format=%(objectname)", in: "w").lines
        let folder = "w/.git/objects/pack"
        let name = try #require(scratch.list(folder).first { $0.hasSuffix(".bitmap") })
        let whole = try scratch.read("\(folder)/\(name)")
        let (expected, reused) = try pack(scratch, tips)
        #expect(reused > 0)
        let objects = expected[8 ..< 12]
        for position in whole.indices where position < 60 || position % 61 == 0 {
            var damaged = whole
            damaged[position] ^= 1 << UInt8(position % 8)
            try scratch.write(damaged, to: "\(folder)/\(name)")
            let (answer, reused) = try pack(scratch, tips)
            #expect(answer[8 ..< 12] == objects && reused == 0, "byte \(position)")
            let isFaulty = try database(scratch).bitmaps() == nil
            #expect(isFaulty)
        }
        for length in stride(from: 0, to: whole.count, by: 397) {
            try scratch.write(Array(whole[..<length]), to: "\(folder)/\(name)")
            #expect(try pack(scratch, tips).0[8 ..< 12] == objects)
        }
    }

    /// What is wrong under a right hash is refused or does no harm.
    @Test func survivesAnyByteWrong() throws {
        let (scratch, _) = try repository()
        let folder = "w/.git/objects/pack"
        let name = try #require(scratch.list(folder).first { $0.hasSuffix(".bitmap") })
        let whole = try scratch.read("\(folder)/\(name)")
        let bitmaps = try #require(try database(scratch).bitmaps())
        let checksum = try #require(bitmaps.pack).index().packTrailer
        var refused = 0
        for position in 0 ..< whole.count - 20 where position < 100 || position % 7 == 0 {
            var damaged = whole
            damaged[position] ^= position % 2 == 0 ? 0x80 : 0x03
            var hasher = PlainHasher(.sha1)
            damaged.withUnsafeBytes {
                hasher.update(UnsafeRawBufferPointer(rebasing: $0.dropLast(20)))
            }
            damaged.replaceSubrange(
                whole.count - 20 ..< whole.count, with: hasher.finalize().rawBytes)
            try scratch.write(damaged, to: "b")
            do throws(StoreError) {
                let file = try BitmapFile(scratch["b"], count: bitmaps.count, checksum: checksum)
                for kind in ObjectKind.allCases { _ = try file.objects(kind) }
                for row in 0 ..< bitmaps.count { _ = try file.reached(row: row) }
            } catch {
                refused += 1
                #expect(error.code == .corrupt)
            }
        }
        #expect(refused > 100)
    }

    @Test func readsTheOrderOfAPackFromItsReverseIndex() throws {
        let (scratch, _) = try repository()
        let folder = "w/.git/objects/pack"
        let name = try #require(scratch.list(folder).first { $0.hasSuffix(".pack") }).dropLast(5)
        try scratch.git(
            "index-pack", "--rev-index", ".git/objects/pack/\(name).pack", in: "w")
        let index = try PackIndexFile(scratch["\(folder)/\(name).idx"], .sha1)
        let sorted = try index.rowsInPackOrder()
        let path = scratch["\(folder)/\(name).rev"]
        let read = try #require(try PackReverseIndex.rows(path, for: index))
        #expect(read.map(\.row) == sorted.map(\.row) && read.map(\.offset) == sorted.map(\.offset))
        let whole = try scratch.read("\(folder)/\(name).rev")
        for position in 0 ..< whole.count - 40 {
            var damaged = whole
            damaged[position] ^= 1
            try scratch.write(damaged, to: "r")
            let isNone = try PackReverseIndex.rows(scratch["r"], for: index) == nil
            #expect(isNone, "\(position)")
        }
        try scratch.write(Array(whole.dropLast()), to: "r")
        for name in ["r", "none"] {
            let isNone = try PackReverseIndex.rows(scratch[name], for: index) == nil
            #expect(isNone)
        }
    }
}
