import Synchronization

/// A bare repository made by Tests/Fixtures/NAME.sh, once in a test run, where the shared server
/// serves it. Tests read it and do not change it.
public struct Fixture: Sendable {
    public let name: String
    public let path: String
    public let server: GitHTTPServer

    /// Makes it when no test has asked for it before. `evil-VARIANT` is made by evil.sh.
    public static func named(_ name: String) throws -> Fixture {
        try slots.withLock { slots in
            if let slot = slots[name] { return slot }
            let slot = Slot()
            slots[name] = slot
            return slot
        }.get(name)
    }

    /// Its URL at a location of the server.
    public func url(_ location: String = "git") -> String { server.url(location, name) }

    private static let slots = Mutex<[String: Slot]>([:])

    /// Where one fixture is made while others wait for it, and only for it.
    private final class Slot: Sendable {
        private let made = Mutex<Result<Fixture, any Error>?>(nil)

        func get(_ name: String) throws -> Fixture {
            try made.withLock { made in
                let result = made ?? Result { try Fixture.make(name) }
                made = result
                return result
            }.get()
        }
    }

    private static func make(_ name: String) throws -> Fixture {
        let server = try GitHTTPServer.shared()
        let script = name.hasPrefix("evil-") ? "evil" : name
        let path = "\(server.root)/\(name).git"
        let made = try run(
            "bash", ["\(TestEnvironment.packageRoot)/Tests/Fixtures/\(script).sh", path],
            timeout: .seconds(120))
        guard made.succeeded else { throw TestFailure("fixture \(name): \(made.err)") }
        return Fixture(name: name, path: path, server: server)
    }
}
