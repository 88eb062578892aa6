import TestSupport

/// Requests made by hand, for what stock git would not ask.
struct RawClient {
    struct Answer: CustomStringConvertible {
        let status: Int
        /// The status line and the headers.
        let head: String
        let body: [UInt8]
        var text: String { printable(body) }
        var description: String { "\(status): \(text.prefix(300))" }

        /// What comes before the pack, a line a packet: those of the packets without a line are their
        /// four digits. And the pack. Without the words for people, and what else marks the time.
        var parts: (lines: [String], pack: [UInt8]) {
            var (lines, pack, rest): ([String], [UInt8], ArraySlice<UInt8>) = ([], [], body[...])
            while rest.count >= 4, let size = Int(printable(rest.prefix(4)), radix: 16) {
                let packet = rest.prefix(max(4, size))
                rest = rest.dropFirst(packet.count)
                var data = packet.dropFirst(4)
                let band = data.first.flatMap { $0 < 4 ? $0 : nil }
                if band != nil { data = data.dropFirst() }
                if band == 2 || (band == 1 && data.isEmpty) { continue }
                if lines.last == "packfile\n", band == 1 {
                    pack += data
                } else {
                    lines.append(
                        String(decoding: size < 4 ? packet : data, as: UTF8.self))
                }
            }
            return (lines, pack)
        }
    }

    private let port: UInt16
    private let path: String
    private let repository: String
    /// Sent with every request.
    private let headers: [String]

    /// For a repository at `url`, which is on this machine.
    init(url: String, headers: [String] = []) {
        let parts = url.dropFirst("http://127.0.0.1:".count).split(separator: "/", maxSplits: 1)
        port = parts.first.flatMap { UInt16($0) } ?? 0
        path = "/" + (parts.last ?? "")
        repository = ""
        self.headers = headers
    }

    init(_ pair: ServePair, _ side: ServePair.Side = .apus) throws {
        let parts = try pair.url(side).dropFirst("http://127.0.0.1:".count)
            .split(separator: "/", maxSplits: 1)
        port = parts.first.flatMap { UInt16($0) } ?? 0
        path = "/" + (parts.last ?? "")
        repository = pair.repository(side)
        headers = []
    }

    /// What the branch main holds.
    func head() throws -> String { try Git.line(["rev-parse", "main"], in: repository) }

    // MARK: Bodies

    static func line(_ text: String) -> [UInt8] { line(Array((text + "\n").utf8)) }

    static func line(_ bytes: [UInt8]) -> [UInt8] {
        let hex = String(bytes.count + 4, radix: 16)
        return Array((String(repeating: "0", count: 4 - hex.count) + hex).utf8) + bytes
    }

    static let flush = Array("0000".utf8)
    static let delimiter = Array("0001".utf8)

    /// A command of version 2.
    static func v2(_ command: String, _ arguments: [String], format: String = "sha1") -> [UInt8] {
        line("command=\(command)") + line("agent=test") + line("object-format=\(format)")
            + delimiter + arguments.flatMap(line) + flush
    }

    /// A fetch of version 0 or 1, with the haves in one round.
    static func v0(
        wants: [String], haves: [String] = [],
        capabilities: String = "multi_ack_detailed ofs-delta side-band-64k no-progress"
    ) -> [UInt8] {
        var body: [UInt8] = []
        for (number, want) in wants.enumerated() {
            body += line("want \(want)" + (number == 0 ? " \(capabilities)" : ""))
        }
        body += flush
        for have in haves { body += line("have \(have)") }
        return body + line("done")
    }

    // MARK: Asking

    func post(_ service: String, _ body: [UInt8], version: Int = 2) throws -> Answer {
        try ask(
            "POST \(path)/git-\(service)",
            [
                "Content-Type: application/x-git-\(service)-request",
                "Content-Length: \(body.count)",
            ],
            body, version)
    }

    func advertisement(_ service: String, version: Int = 2) throws -> Answer {
        try ask("GET \(path)/info/refs?service=git-\(service)", [], [], version)
    }

    /// By HTTP/1.0: the answer ends with the connection.
    private func ask(
        _ line: String, _ headers: [String], _ body: [UInt8], _ version: Int
    ) throws -> Answer {
        var lines = [line + " HTTP/1.0", "Host: 127.0.0.1"] + self.headers + headers
        if version > 0 { lines.append("Git-Protocol: version=\(version)") }
        let request = Array((lines + ["", ""]).joined(separator: "\r\n").utf8) + body
        let answer = try exchange(port: port, sending: request)
        let end = Array("\r\n\r\n".utf8)
        guard let start = answer.firstRange(of: end)?.upperBound,
            let status = Int(String(decoding: answer.prefix(12).suffix(3), as: UTF8.self))
        else { throw TestFailure("no answer: \(printable(answer.prefix(100)))") }
        return Answer(
            status: status, head: String(decoding: answer[..<start], as: UTF8.self),
            body: Array(answer[start...]))
    }
}
