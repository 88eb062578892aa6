import Foundation
import GitCore
import Testing

@testable import GitClient

#if canImport(Glibc)
    import Glibc
#endif

/// Addresses that a name may not lead to, and what becomes of a connection to one.
@Suite(.timeLimit(.minutes(10))) struct PrivateAddressTests {
    private func bytes(_ text: String) throws -> [UInt8] {
        let family = text.contains(":") ? AF_INET6 : AF_INET
        var room = [UInt8](repeating: 0, count: family == AF_INET ? 4 : 16)
        try #require(inet_pton(family, text, &room) == 1)
        return room
    }

    @Test(arguments: [
        "0.0.0.0", "0.1.2.3", "10.0.0.0", "10.255.255.255", "100.64.0.1", "100.100.100.200",
        "100.127.255.255", "127.0.0.1", "127.255.0.1", "168.63.129.16", "169.254.169.254",
        "172.16.0.0", "172.31.255.255", "192.0.0.8", "192.168.1.1", "198.18.0.1", "198.19.255.255",
        "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:10.1.2.3", "::127.0.0.1",
        "::ffff:127.0.0.1", "64:ff9b::a00:1", "64:ff9b:1::1", "2002:7f00:1::", "2002:c0a8:101::1",
        "2001::1", "2001:1::1", "2001:db8::1", "100::1", "fc00::1", "fd00:ec2::254", "fe80::1",
        "febf::1", "fec0::1", "ff02::1", "4000::1",
    ])
    func isOfTheOwnNetwork(address: String) throws {
        #expect(PrivateAddress.contains(try bytes(address)))
    }

    @Test(arguments: [
        "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
        "128.0.0.1", "140.82.121.4", "168.63.129.15", "168.63.129.17", "169.253.255.255",
        "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255",
        "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "::ffff:140.82.121.4",
        "64:ff9b::8c52:7904", "2002:8c52:7904::1", "2001:4860:4860::8888", "2001:200::1",
        "2606:50c0:8000::153", "2a00:1450::1", "3fff:ffff::1",
    ])
    func isOutInTheInternet(address: String) throws {
        #expect(!PrivateAddress.contains(try bytes(address)))
    }

    @Test(arguments: [0, 3, 5, 15, 17]) func otherLengthsAreNoAddress(count: Int) {
        #expect(PrivateAddress.contains([UInt8](repeating: 0x3f, count: count)))
    }

    @Test(arguments: [
        ("http://127.0.0.1:8080/", true), ("https://localhost/", true), ("http://[::1]/", true),
        ("http://10.0.0.1/", true), ("https://github.com/", false), ("http://2130706433/", false),
        ("http://127.1/", false), ("http://0x7f.0.0.1/", false), ("http://localhost.test/", false),
    ])
    func onlyTheUsualFormNamesAnAddress(url: String, isLiteral: Bool) throws {
        #expect(try GitURL(url).hasLiteralAddress == isLiteral)
    }

    private func get(
        _ url: String, _ transport: CurlTransport, _ change: (inout HTTPOptions) -> Void
    ) async throws -> Int {
        var options = HTTPOptions()
        options.refusesPrivateAddresses = true
        change(&options)
        let response = try await transport.send(
            HTTPRequest(.get, try GitURL(url), options: options))
        _ = try await response.body.all()
        return response.status
    }

    /// Names that libcurl itself or the C library resolve to 127.0.0.1, without a name server.
    @Test(arguments: ["localhost", "127.0.0.1", "2130706433", "127.1"])
    func noConnectionIsMade(host: String) async throws {
        let server = HTTPTestServer { $0.answer(200) }
        let port = try #require(server.url.split(separator: ":").last)
        let transport = CurlTransport()
        let error = await failure {
            _ = try await get("http://\(host):\(port)/", transport) { _ in }
        }
        #expect(error?.code == .refusedAddress)
        let message = try #require(error?.message)
        #expect(message.hasPrefix("unable to access 'http://\(host):"))
        #expect(host == "127.0.0.1" || !message.contains("127.0.0.1"))
        #expect(server.requests.isEmpty)
    }

    /// Those that may use a connection that is open are others than those that may not.
    @Test func anOpenConnectionIsNotUsed() async throws {
        let server = HTTPTestServer { $0.answer(200) }
        let url = server.url.replacing("127.0.0.1", with: "localhost")
        let transport = CurlTransport()
        #expect(try await get(url, transport) { $0.refusesPrivateAddresses = false } == 200)
        let error = await failure { _ = try await get(url, transport) { _ in } }
        #expect(error?.code == .refusedAddress)
        #expect(server.requests.count == 1)
    }

    /// It resolves the name.
    @Test func aProxyIsTrusted() async throws {
        let server = HTTPTestServer { $0.answer(200) }
        let status = try await get("http://upstream.test/x", CurlTransport()) {
            $0.proxy = ByteString(server.url)
        }
        #expect(status == 200)
        #expect(server.requests.map(\.target) == ["http://upstream.test/x"])
    }
}
