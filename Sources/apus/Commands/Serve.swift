import GitCore
import GitServer

struct Serve: Command {
    static let name = "serve"
    static let summary = "Serve the repositories in a folder over HTTP"
    static let usage = ["serve --root <directory> [--listen <address>:<port>] [<options>]"]
    static let options: [Option<Serve>] = [
        .value("--root <directory>", \.root, "serve the repositories under this directory"),
        .value("--listen <address>:<port>", \.listen, "where to listen (127.0.0.1:8080)"),
        .flag(
            "--export-all", \.exportsAll,
            "serve repositories that have no file git-daemon-export-ok, too"),
        .flag("--enable-push", \.allowsPush, "take pushes"),
    ]

    private var root: ByteString?
    private var listen: ByteString?
    private var exportsAll = false
    private var allowsPush = false

    func run(_ invocation: Invocation) throws {
        guard let root else { throw UsageError("--root is needed.") }
        var options = ServerOptions(root: root)
        options.exportsAll = exportsAll
        options.allowsPush = allowsPush
        if let listen { (options.address, options.port) = try Self.address(listen) }
        let server = try Server(options)
        let host = options.address.contains(":") ? "[\(options.address)]" : options.address
        writeError("serving '\(root)' at http://\(host):\(server.port)/\n")
        let ended = Ended()
        let signals = SignalWatch { _ in ended.tell() }
        defer { withExtendedLifetime(signals) {} }
        ended.wait()
        server.stop()
    }

    /// `8080`, `127.0.0.1:8080`, `[::1]:8080`, `:8080` for all addresses.
    private static func address(_ text: ByteString) throws -> (String, UInt16) {
        let bytes = text.bytes
        let colon = bytes.lastIndex(of: UInt8(ascii: ":"))
        let digits = ByteString(bytes[(colon.map { $0 + 1 } ?? 0)...])
        var host = colon.map { ByteString(bytes[..<$0]) } ?? "127.0.0.1"
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst(1).dropLast(1) }
        guard let port = UInt16(digits.printable), digits.bytes.allSatisfy({ $0 &- 0x30 < 10 })
        else {
            throw UsageError("'\(text)' is no address to listen on.")
        }
        return (host.printable, port)
    }
}
