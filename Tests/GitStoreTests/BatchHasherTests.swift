import GitCore
import TestSupport
import Testing

@testable import GitStore

/// Objects named in batches: the ids are those that one at a time gives, in order, with verdicts.
@Suite struct BatchHasherTests {
    private struct Seen: Equatable {
        let number: Int
        let kind: ObjectKind
        let oid: ObjectID?
        let content: [UInt8]

        init(number: Int, kind: ObjectKind, oid: ObjectID?, content: [UInt8]) {
            self.number = number
            self.kind = kind
            self.oid = oid
            self.content = content
        }

        init(_ object: BatchHasher.Named) {
            self.init(
                number: object.number, kind: object.kind, oid: try? object.oid(),
                content: Array(object.content))
        }
    }

    private static let sizes: [Int] = {
        var random = PackRandom(state: 5)
        var sizes = (0 ..< 900).map { _ in Int.random(in: 0 ... 6_000, using: &random) }
        // Under, at and over what a batch holds; and more empty ones than it takes.
        sizes += [1 << 20 - 1, 1 << 20, 0, 1 << 20 + 1, 3, 3 << 20, 2 << 20, 1 << 19, 1 << 20]
        return sizes + Array(repeating: 0, count: 5_000)
    }()

    @Test(arguments: ObjectFormat.allCases)
    func namesAllInTheOrderInWhichTheyCame(format: ObjectFormat) throws {
        let hasher = BatchHasher(format)
        var seen: [Seen] = []
        var expected: [Seen] = []
        for (number, size) in Self.sizes.enumerated() {
            let kind = ObjectKind.allCases[number % ObjectKind.allCases.count]
            let content = PackRandom.bytes(size, seed: UInt64(number))
            let oid = try ObjectHasher.hash(kind, content, format)
            expected.append(Seen(number: number, kind: kind, oid: oid, content: content))
            hasher.add(kind, content, number: number) { seen.append(Seen($0)) }
            // What is held is bounded.
            #expect(expected.count - seen.count < 4_096)
            if expected.count == 500 { hasher.finish { seen.append(Seen($0)) } }
        }
        hasher.finish { seen.append(Seen($0)) }
        let isSame = seen == expected
        #expect(isSame)
        hasher.finish { _ in Issue.record("told of twice") }
    }

    /// Each published attack, wherever it stands among objects that are none.
    @Test(arguments: 0 ..< 4, [0, 1, 15, 16, 17, 39])
    func tellsWhichObjectIsACollisionAttack(attack: Int, place: Int) throws {
        let attack = (HashingCollisions.shattered + HashingCollisions.shambles)[attack]
        let hasher = BatchHasher(.sha1)
        for round in 0 ..< 2 {
            var caught: [Int] = []
            func look(_ object: BatchHasher.Named) {
                if case .success = object.verdict { return }
                caught.append(object.number)
                let message = expectStoreError(.collision) { try object.oid() }
                #expect(message.contains("collision attack"))
            }
            for number in 0 ..< 40 {
                if number == place, round == 0 {
                    let (header, content) = (Array(attack[..<40]), Array(attack[40...]))
                    hasher.add(.blob, header: header, content, number: number, done: look)
                } else {
                    hasher.add(
                        .blob, PackRandom.bytes(number * 9), number: number, done: look)
                }
            }
            hasher.finish(look)
            // The next batch has nothing of it.
            #expect(caught == (round == 0 ? [place] : []))
        }
    }

    @Test func bothHalvesOfACollisionAreTold() {
        let hasher = BatchHasher(.sha1)
        var verdicts: [Bool] = []
        func look(_ object: BatchHasher.Named) { verdicts.append((try? object.oid()) != nil) }
        for half in HashingCollisions.shattered {
            hasher.add(.blob, header: Array(half[..<64]), Array(half[64...]), number: 0, done: look)
            hasher.add(.blob, [1, 2, 3], number: 1, done: look)
        }
        hasher.finish(look)
        #expect(verdicts == [false, true, false, true])
    }

    @Test func whatDoneThrowsEndsTheBatch() throws {
        struct Enough: Error {}
        let hasher = BatchHasher(.sha1)
        for number in 0 ..< 10 { hasher.add(.blob, [UInt8(number)], number: number) { _ in } }
        var count = 0
        #expect(throws: Enough.self) {
            try hasher.finish { object throws(Enough) in
                count += 1
                if object.number == 3 { throw Enough() }
            }
        }
        #expect(count == 4)
        hasher.add(.blob, [7], number: 70) { _ in }
        var seen: [Int] = []
        hasher.finish { seen.append($0.number) }
        #expect(seen == [70])
    }
}
