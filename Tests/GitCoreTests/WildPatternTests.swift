import GitCore
import Testing

// What git says of the same patterns is asked in GitStoreTests and GitWorktreeTests.

@Suite struct WildPatternTests {
    @Test(arguments: [
        "a", "a*", "*a", "?", "[ab]", "**", "a/**", "**/a", "a/**/b", "\\*", "[[:alpha:]]", "[]a]",
    ])
    func whatIsEscapedMatchesItselfAlone(_ text: String) {
        let pattern = WildPattern(WildPattern.escaping(ByteString(text)))
        for other in ["a", "ab", "?", "b", "a/b", "*", "*a", "a*", "[ab]", text] {
            #expect(pattern.matches(ByteString(other)) == (other == text))
        }
    }

    @Test func slashesAreCrossedWhereAsked() {
        for pattern: ByteString in ["a*b", "a?b", "a[^x]b", "a[/]b", "a**b"] {
            #expect(!WildPattern(pattern).matches("a/b"))
            #expect(WildPattern(pattern, .crossingSlashes).matches("a/b"))
        }
    }

    @Test func matchesPieceByPieceAsAtOnce() throws {
        let texts = ["", "a", "ab", "a/b", "ab/c/b", "abc", "a/b/c", "c/b", "abb/x/b", "aB/c"]
        for text in [
            "", "a", "ab", "a*", "a*b", "*", "**", "**/b", "a/**", "a/**/b", "ab/?/b", "[!a]*",
            "a\\b",
            "ab*/c", "*/*",
        ] {
            for options: WildPattern.Options in [[], .ignoringCase, .crossingSlashes] {
                let pattern = WildPattern(ByteString(text), options)
                for other in texts {
                    let bytes = Array(other.utf8)
                    for middle in 0 ... bytes.count {
                        var progress = try #require(pattern.start)
                        let isMatched =
                            pattern.advance(&progress, over: Array(bytes[..<middle]).span)
                            && pattern.advance(&progress, over: Array(bytes[middle...]).span)
                            && pattern.isMatched(progress)
                        #expect(
                            isMatched == pattern.matches(ByteString(other)), "\(text) \(other)")
                    }
                }
            }
        }
        #expect(WildPattern("[a").start == nil)
    }

    @Test func eitherCaseMatchesWhereAsked() {
        for pattern: ByteString in ["aB*", "Ab[c-D]", "A\\b?", "ab[A-Z]", "ab[[:upper:]]", "abc"] {
            #expect(WildPattern(pattern, .ignoringCase).matches("ABC"))
            #expect(WildPattern(pattern, .ignoringCase).matches("abc"))
        }
        #expect(!WildPattern("ab*").matches("ABC"))
        // As in Git.
        #expect(!WildPattern("[A]", .ignoringCase).matches("a"))
        #expect(!WildPattern("\\A", .ignoringCase).matches("a"))
    }

    @Test func aMalignPatternTakesNoLongTime() {
        let slow: [(pattern: [UInt8], text: [UInt8])] = [
            (repeated("a*", 1_000) + [0x62], repeated("a", 4_000)),
            (repeated("**/", 600) + [0x62], repeated("a/", 2_000)),
            (repeated("*a**/", 60) + [0x62], repeated("a/", 500)),
        ]
        let time = ContinuousClock().measure {
            for (pattern, text) in slow {
                #expect(!WildPattern(ByteString(pattern)).matches(ByteString(text)))
            }
        }
        #expect(time < .seconds(20))
    }

    private func repeated(_ text: String, _ count: Int) -> [UInt8] {
        Array(String(repeating: text, count: count).utf8)
    }
}
