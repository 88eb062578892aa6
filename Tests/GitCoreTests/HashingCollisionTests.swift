import GitCore
import TestSupport
import Testing

@Suite struct HashingCollisionTests {
    static let attacks = HashingCollisions.shattered + HashingCollisions.shambles

    @Test func publishedPairsCollide() {
        for pair in [HashingCollisions.shattered, HashingCollisions.shambles] {
            #expect(pair[0] != pair[1])
            #expect(HashingReference.sha1(pair[0]) == HashingReference.sha1(pair[1]))
        }
    }

    @Test func noticesThePublishedCollisionsHoweverTheyArrive() {
        for attack in Self.attacks {
            let expected = HashingReference.sha1(attack)
            for kernel in hashingKernels {
                for cut in 0 ... attack.count {
                    let result = sha1([attack[..<cut], attack[cut...]], kernel: kernel)
                    #expect(result.attacked, "cut at \(cut), kernel \(kernel)")
                    #expect(result.digest == expected)
                }
                for size in 1 ... 130 {
                    let pieces = stride(from: 0, to: attack.count, by: size).map {
                        attack[$0 ..< min($0 + size, attack.count)]
                    }
                    #expect(sha1(pieces, kernel: kernel).attacked, "pieces of \(size)")
                }
            }
        }
    }

    @Test func noticesThemAtEveryAddressAndWithMoreBehind() {
        for attack in Self.attacks {
            for kernel in hashingKernels {
                for offset in 0 ... 64 {
                    let memory = [UInt8](repeating: 7, count: offset) + attack + [1, 2, 3]
                    #expect(sha1([memory[offset...]], kernel: kernel).attacked)
                }
            }
        }
    }

    @Test func seesNothingWhereTheAttackIsBroken() {
        for attack in Self.attacks {
            for kernel in hashingKernels {
                #expect(!sha1([attack[...]], kernel: kernel, detects: false).attacked)
                // Moved by a byte, the blocks are others; so are they with one bit changed early.
                #expect(!sha1([[0], attack[...]], kernel: kernel).attacked)
                var changed = attack
                changed[0] ^= 1
                #expect(!sha1([changed[...]], kernel: kernel).attacked)
            }
        }
    }

    @Test func throwsTheIdThatBothHalvesShare() {
        for attack in HashingCollisions.shattered {
            var hasher = ObjectHasher(.sha1)
            hasher.update(attack)
            let error = #expect(throws: CollisionError.self) { try hasher.finalize() }
            #expect(error?.oid.hex == "f92d74e3874587aaf443d1db961d4e26dde13e9c")
            #expect("\(error as Any)".contains("collision attack"))
        }
    }

    @Test func acceptsThemWhereNoAttackIsLookedFor() throws {
        for attack in Self.attacks {
            var trailer = PlainHasher(.sha1)
            trailer.update(attack)
            #expect(trailer.finalize().rawBytes == HashingReference.sha1(attack))
            var sha256 = ObjectHasher(.sha256)
            sha256.update(attack)
            _ = try sha256.finalize()
            // The blob's header moves the blocks: the file is no attack on its blob's id.
            _ = try ObjectHasher.hash(.blob, attack, .sha1)
        }
    }
}
