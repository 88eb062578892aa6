import GitCore
import GitStore
import TestSupport
import Testing

@testable import GitServer

/// The lines of `uploadpack.blobPackfileUri`.
@Suite struct BlobURITests {
    private static let (a, b, c) = (
        String(repeating: "1a", count: 20), String(repeating: "2B", count: 20),
        String(repeating: "3c", count: 20)
    )

    private func parse(
        _ values: [String], _ format: ObjectFormat = .sha1
    ) throws -> BlobURIs {
        let text = values.map { "\tblobPackfileUri = \"\($0)\"\n" }.joined()
        let file = try ConfigFile(parsing: Array("[uploadpack]\n\(text)".utf8))
        return try BlobURIs(Config(file), format)
    }

    @Test func knowsBlobsByTheirPacks() throws {
        let uris = try parse([
            "\(Self.a) \(Self.c) https://a/x", "\(Self.b) \(Self.c) https://a/x",
            "\(Self.c) \(Self.a) http://b:80/?y#z",
        ])
        let (a, b, c) = try (
            #require(ObjectID(hex: Self.a)), #require(ObjectID(hex: Self.b)),
            #require(ObjectID(hex: Self.c))
        )
        #expect(uris.blobs(by: ["https"]) == [a, b] && uris.blobs(by: ["x", "http"]) == [c])
        #expect(uris.blobs(by: ["https:", "HTTPS", "", "htt"]).isEmpty)
        #expect(uris.packs(of: [a, b]).map(\.uri) == ["https://a/x"])
        #expect(uris.packs(of: [a, c]).map(\.packChecksum) == [c, a])
        #expect(uris.packs(of: []).isEmpty && !uris.isEmpty)
        #expect(try parse([]).isEmpty)
        let long = String(repeating: "4d", count: 32)
        #expect(try !parse(["\(long) \(long) ftp://x"], .sha256).isEmpty)
    }

    @Test(arguments: [
        "", " ", "x", a, "\(a) \(b)", "\(a) \(b) ", "\(a)  \(b) http://x", " \(a) \(b) http://x",
        "\(a) \(b) http://x y", "\(a) \(b) http://x\\t", "\(a) \(b) http://\u{e9}",
        "\(a.dropLast()) \(b) http://x", "\(a) \(b)0 http://x", "\(a)\\n\(b) http://x",
        "\(a) g\(b.dropFirst()) http://x", "\(a)\(a.prefix(24)) \(b)\(b.prefix(24)) http://x",
        "\(a) \(b) http://\(String(repeating: "x", count: 9_000))",
    ])
    func refusesWhatIsNone(_ value: String) throws {
        #expect { try parse(["\(Self.c) \(Self.b) http://x", value]) } throws: { error in
            let error = error as? StoreError
            return error?.code == .invalid && error?.message.contains("must be of the form") == true
        }
    }

    @Test func refusesABlobTwiceAndAVariableWithoutAValue() throws {
        #expect {
            try parse(["\(Self.a) \(Self.b) http://x", "\(Self.a) \(Self.c) http://y"])
        } throws: {
            "\($0)".contains("already configured")
        }
        let file = try ConfigFile(parsing: Array("[uploadpack]\nblobPackfileUri\n".utf8))
        #expect(throws: StoreError.self) { try BlobURIs(Config(file), .sha1) }
    }
}
