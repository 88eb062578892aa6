import GitCore
import Testing

@testable import GitStore

/// Looking ahead for entries, from a place within one that is not known.
@Suite struct PackScanTests {
    /// What a look finds from the first byte on, of which it does not know what it is.
    private func found(_ bytes: [UInt8]) -> [PackScan.Entry] {
        let scan = PackScan(.sha1, makeBatch: { HashQueue.Batch() })
        scan.reset(0 ..< bytes.count)
        let inflater = EntryInflater(DeltaStore(budget: 1 << 20))
        bytes.withUnsafeBytes { scan.run($0, isStart: false, inflater) }
        return scan.entries
    }

    /// Entries as they stand in a pack.
    private static let entries: [UInt8] = {
        var pack = PackBuilder()
        for number in 0 ..< 5 { pack.blob("entry \(number) of five") }
        return Array(pack.bytes.dropFirst(PackHeader.length))
    }()

    @Test(arguments: [0, 1, 1 << 16, 1 << 20]) func entriesBehindRandomBytesAreFound(count: Int) {
        let before = PackRandom.bytes(count)
        let found = found(before + Self.entries)
        #expect(found.map(\.start).contains(count))
        #expect(found.suffix(5).map { Int($0.header.size) } == Array(repeating: 15, count: 5))
    }

    /// A blob can be made of headers and streams that go wrong late. It is not looked through from each.
    @Test(arguments: [1 << 10, 1 << 16 - 1, 1 << 20 - 1] as [UInt64])
    func aMebibyteOfWhatLooksLikeEntriesIsGivenUp(size: UInt64) {
        // A stored block of what follows, and behind that what is no block.
        let length: [UInt8] = [0xe8, 0x03]
        let stream = [0x78, 0x01, 0] + length + length.map { ~$0 }
        let unit = PackBuilder.header(type: 3, size: size) + stream
        let before = [[UInt8]](repeating: unit, count: (1 << 20) / unit.count).flatMap { $0 }
        // Those too large for a guess cost nothing, and what follows is found.
        let isTooLarge = size > 1 << 16
        #expect(found(before + Self.entries).isEmpty != isTooLarge)
    }
}
