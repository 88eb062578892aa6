import GitCore
import Testing

@testable import GitWire

/// A fault is told with the place of its line, whatever pieces the bytes came in.
@Suite struct FaultPlaceTests {
    private static let ref = pkt("\(oidA) refs/heads/a\n")

    private func expectPlace(
        _ place: Int, sourceLocation: SourceLocation = #_sourceLocation,
        _ body: (Feeding) throws(WireError) -> Void
    ) {
        for feeding in Feeding.allCases {
            do throws(WireError) {
                try body(feeding)
                Issue.record("nothing was thrown", sourceLocation: sourceLocation)
            } catch {
                #expect(
                    error.message.hasSuffix("(at byte \(place))"), "\(feeding): \(error.message)",
                    sourceLocation: sourceLocation)
            }
        }
    }

    @Test func inAnAdvertisement() {
        for wrong in [pkt("\(oidB) refs/heads/b^{}\n"), delim] {
            expectPlace(Self.ref.count) { (feeding) throws(WireError) in
                _ = try decodeAdvertisement(Self.ref + wrong + flush, feeding, .connection)
            }
        }
    }

    @Test func amongRefs() throws {
        let server = try Advertisement.v2()
        for wrong in [pkt("no ref\n"), delim] {
            expectPlace(Self.ref.count) { (feeding) throws(WireError) in
                _ = try decodeLsRefs(Self.ref + wrong + flush, server, feeding)
            }
        }
    }

    @Test func inAnAnswerToAFetch() throws {
        let section = pkt("shallow-info\n")
        for sidebandAll in [false, true] {
            var request = FetchRequest(wants: [oidA])
            request.deepen = .to(depth: 1)
            request.sidebandAll = sidebandAll
            let server = try Advertisement.v2(fetch: "shallow sideband-all")
            let exchange = try request.encoded(for: server)
            let bytes = sidebandAll ? pkt("\u{1}shallow-info\n") : section
            expectPlace(bytes.count) { (feeding) throws(WireError) in
                _ = try Answer(exchange, bytes + Array("0002".utf8), feeding)
            }
        }
    }
}
