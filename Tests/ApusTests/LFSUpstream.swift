import Foundation
import Synchronization
import TestSupport
import Testing

/// `apus cache` in front of a server of Git LFS that lets Anna and Bert in to `x.git`, Bert and Carl to `y.git`.
final class LFSUpstream: Sendable {
    struct Object: Sendable {
        let oid: String
        let bytes: [UInt8]

        init(_ bytes: [UInt8]) throws {
            self.bytes = bytes
            let digest = try run("openssl", ["dgst", "-sha256", "-r"], input: bytes).required().out
            oid = String(digest.prefix(64))
        }

        init(_ text: String) throws { try self.init(Array(text.utf8)) }
    }

    /// What the server does otherwise than it should.
    struct Behaviour: Sendable {
        /// Where objects are, in place of the server's own `/objects/`.
        var place: String?
        /// What else an action has, a comma before it.
        var action = ""
        /// Those that are not let in any more.
        var refused: Set<String> = []
        /// Answers the request for an object itself, if it returns true.
        var answer: (@Sendable (FakeUpstream.Call) -> Bool)?
        /// Answers a batch.
        var batch: (@Sendable (FakeUpstream.Call) -> Bool)?
    }

    static let rights = ["x.git": ["anna", "bert"], "y.git": ["bert", "carl"]]

    let objects: [Object]
    let pair: CachedUpstream
    private let behaviour: Setting

    private final class Setting: Sendable {
        let value = Mutex(Behaviour())
    }

    init(_ objects: [Object], options: [String] = []) throws {
        let setting = Setting()
        self.objects = objects
        behaviour = setting
        pair = try CachedUpstream(options: options) { call in
            Self.answer(call, objects, setting.value.withLock { $0 })
        }
    }

    func change(_ body: (inout Behaviour) -> Void) { behaviour.value.withLock { body(&$0) } }

    // MARK: The server

    static func login(_ name: String) -> String { "Authorization: Bearer \(name)" }

    private static func answer(
        _ call: FakeUpstream.Call, _ objects: [Object], _ behaviour: Behaviour
    ) {
        let words = call.head[0].split(separator: " ")
        let path = words[1].split(separator: "/").map(String.init)
        let user = user(call.values("authorization").first ?? "")
        if path.last == "batch" {
            _ = call.body(call.values("content-length").first.flatMap { Int($0) } ?? 0)
            if behaviour.batch?(call) == true { return }
            guard rights[path[0]]?.contains(user) == true, !behaviour.refused.contains(user) else {
                return call.answer(
                    user.isEmpty ? 401 : 403, ["WWW-Authenticate: Basic realm=\"x\""],
                    "{\"message\":\"no\"}")
            }
            let host = call.values("host").first ?? ""
            let place = behaviour.place ?? "http://\(host)/objects/"
            return call.answer(
                200, ["Content-Type: application/vnd.git-lfs+json; charset=utf-8"],
                batch(objects, place, behaviour.action))
        }
        if behaviour.answer?(call) == true { return }
        guard let object = objects.first(where: { $0.oid == path.last }) else {
            return call.answer(404, [], "none")
        }
        send(object.bytes, call)
    }

    /// Who logs in, with a token or a password.
    private static func user(_ login: String) -> String {
        let words = login.split(separator: " ").map(String.init)
        guard words.first == "Basic", let data = Data(base64Encoded: words[1]) else {
            return words.last ?? ""
        }
        return String(String(decoding: data, as: UTF8.self).prefix { $0 != ":" })
    }

    /// With what a JSON writer may do, and what is not known here.
    static func batch(_ objects: [Object], _ place: String, _ action: String) -> String {
        let list = objects.map { object in
            """
            {"oid":"\(object.oid)", "size": \(object.bytes.count), "authenticated":true ,"x":[1e3],
             "actions":{"download":{"href":"\(place.replacing("/", with: "\\/"))\(object.oid)"\(action)}}}
            """
        }
        return
            "{\"transfer\":\"basic\",\"objects\": [\(list.joined(separator: ","))],\"more\":null}\n"
    }

    static func send(_ bytes: [UInt8], _ call: FakeUpstream.Call) {
        call.write(Array("HTTP/1.1 200 So\r\nContent-Length: \(bytes.count)\r\n\r\n".utf8))
        call.write(bytes)
    }

    /// Requests for objects that reached it.
    var fetched: [[String]] {
        pair.upstream.heads.filter { $0[0].contains("/objects/") && !isBatch($0) }
    }
    private func isBatch(_ head: [String]) -> Bool { head[0].contains("/batch ") }

    // MARK: Its clients

    func batch(
        _ user: String?, _ repository: String = "x.git", _ headers: [String] = []
    ) throws -> String {
        let request = "{\"operation\":\"download\",\"objects\":[]}"
        return try pair.ask(
            "POST /up/\(repository)/info/lfs/objects/batch",
            [
                "Content-Length: \(request.utf8.count)",
                "Content-Type: application/vnd.git-lfs+json", "Accept-Encoding: gzip",
            ] + (user.map { [Self.login($0)] } ?? []) + headers, body: Array(request.utf8))
    }

    /// The paths, each with its token, that a batch answer leads to here.
    func places(_ answer: String) -> [String] {
        answer.body.matches(of: /"http:\/\/cache(\/up\/[^"]*)"/).map { String($0.1) }
    }

    /// The path for the only object.
    func place(_ user: String, _ repository: String = "x.git") throws -> String {
        try #require(places(try batch(user, repository)).first)
    }

    func get(_ place: String, _ headers: [String] = []) throws -> String {
        try pair.ask("GET \(place)", headers)
    }

    /// What the cache noted of its last requests for objects.
    func noted(_ count: Int) throws -> [String] {
        var found: [String] = []
        _ = try eventually {
            found = try pair.cache.requests().filter { $0.contains("/apus/") }
            return found.count >= count
        }
        return found.map { line in
            line.firstMatch(of: /"cache":"([a-z]*)"/).map { String($0.1) } ?? ""
        }
    }
}
