import GitClient
import GitCore
import Synchronization
import TestSupport

@testable import GitCache

/// An upstream without a network: `git upload-pack` on a repository, one process a request.
final class GitTransport: HTTPTransport {
    /// What becomes of answers to requests for packs.
    struct Behaviour {
        /// Changes the bytes.
        var changes: (@Sendable ([UInt8]) -> [UInt8])?
        /// What comes after them, piece by piece and for ever.
        var continues: (@Sendable () async throws -> [UInt8])?
    }

    private let repository: String
    private let behaviour = Mutex(Behaviour())
    private let asked = Mutex<[String]>([])
    private let ended = Mutex(0)

    init(_ repository: String) { self.repository = repository }

    func change(_ body: (inout Behaviour) -> Void) { behaviour.withLock { body(&$0) } }

    /// The bodies of the requests for packs.
    var fetches: [String] { asked.withLock { $0 } }
    /// Answers to these that nobody reads any more.
    var endedFetches: Int { ended.withLock { $0 } }

    func send(_ request: HTTPRequest) async throws(ClientError) -> HTTPResponse {
        do { return try answer(request) } catch { throw ClientError(.network, "\(error)") }
    }

    private func answer(_ request: HTTPRequest) throws -> HTTPResponse {
        guard case .bytes(let body) = request.body,
            !request.headers.contains(where: { $0.name.lowercased() == "content-encoding" })
        else { throw TestFailure("a body that is not plain") }
        let isListing = request.method == .get
        let bytes = try run(
            "git",
            ["upload-pack", "--stateless-rpc"] + (isListing ? ["--advertise-refs"] : [])
                + [repository], environment: ["GIT_PROTOCOL": "version=2"], input: body
        ).required().stdout
        let headers = HTTPHeaders([
            (
                "content-type",
                "application/x-git-upload-pack-" + (isListing ? "advertisement" : "result")
            )
        ])
        let text = String(decoding: body, as: UTF8.self)
        guard text.contains("command=fetch") else {
            return HTTPResponse(status: 200, headers: headers, body: Body(bytes))
        }
        asked.withLock { $0.append(text) }
        let behaviour = behaviour.withLock { $0 }
        return HTTPResponse(
            status: 200, headers: headers,
            body: Body(behaviour.changes?(bytes) ?? bytes, behaviour.continues) { [weak self] in
                self?.ended.withLock { $0 += 1 }
            })
    }

    private final class Body: HTTPBodyStream {
        private let rest: Mutex<ArraySlice<UInt8>>
        private let more: (@Sendable () async throws -> [UInt8])?
        private let end: @Sendable () -> Void

        init(
            _ bytes: [UInt8], _ more: (@Sendable () async throws -> [UInt8])? = nil,
            end: @escaping @Sendable () -> Void = {}
        ) {
            rest = Mutex(bytes[...])
            self.more = more
            self.end = end
        }

        deinit { end() }

        func next() async throws(ClientError) -> [UInt8]? {
            let piece = rest.withLock { rest in
                let piece = Array(rest.prefix(1 << 16))
                rest = rest.dropFirst(piece.count)
                return piece
            }
            if !piece.isEmpty { return piece }
            do { return try await more?() } catch {
                throw ClientError(error is CancellationError ? .cancelled : .network, "\(error)")
            }
        }
    }
}

/// The answer to a request for a pack that has no end: a blob of half a tebibyte, which is stored and not
/// compressed (RFC 1951, 3.2.4).
enum EndlessPack {
    /// The first bytes of the answer.
    static let start: [UInt8] = {
        var pack = Array("PACK".utf8) + [0, 0, 0, 2, 0, 0, 0, 1]
        // A blob; of its size, 2^39, the lowest four bits and then seven at a time.
        pack += [0xb0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]
        // The head of a zlib stream.
        pack += [0x78, 0x01]
        return line(Array("packfile\n".utf8)) + line([1] + pack)
    }()

    /// A piece that may come again and again.
    static let piece: [UInt8] = {
        let count = 65_000
        let (low, high) = (UInt8(count & 0xff), UInt8(count >> 8))
        return line([1, 0, low, high, ~low, ~high] + [UInt8](repeating: 7, count: count))
    }()

    private static func line(_ payload: [UInt8]) -> [UInt8] {
        let size = String(payload.count + 4, radix: 16)
        return Array((String(repeating: "0", count: 4 - size.count) + size).utf8) + payload
    }
}
