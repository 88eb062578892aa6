import Synchronization
import TestSupport
import Testing

@testable import GitServer

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// More than a server can take, and its end.
@Suite(.timeLimit(.minutes(10))) struct StoppingTests {
    private static let get = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"

    /// A handler whose answers wait until they are let go, or cancelled.
    private final class Gate: Sendable {
        private let isOpen = Mutex(false)

        func open() { isOpen.withLock { $0 = true } }

        var handler: TestHandler {
            TestHandler { exchange in
                _ = eventually { self.isOpen.withLock { $0 } || exchange.isCancelled }
                exchange.respond(HTTPResponse(200, text: "done"))
            }
        }
    }

    @Test func tellsMoreRequestsToComeAgain() throws {
        let gate = Gate()
        let server = try HTTPServer.test(gate.handler) { $0.maximumRequests = 2 }
        defer { server.stop(grace: .zero) }
        let clients = try (0 ..< 2).map { _ in try RawClient(server.port) }
        for client in clients { client.send(Self.get) }
        #expect(eventually { server.activeRequests == 2 })
        let third = try RawClient(server.port)
        for _ in 0 ..< 3 {
            third.send(Self.get)
            let response = try third.response()
            #expect(response.status == 503 && response["retry-after"] == "5")
        }
        gate.open()
        for client in clients { #expect(try client.response().text == "done\n") }
        #expect(eventually { server.activeRequests == 0 })
        third.send(Self.get)
        #expect(try third.response().status == 200)
    }

    @Test func finishesWhatRunsAndTakesNothingNew() throws {
        let gate = Gate()
        let server = try HTTPServer.test(gate.handler)
        let running = try RawClient(server.port)
        running.send(Self.get)
        let idle = try RawClient(server.port)
        #expect(eventually { server.activeRequests == 1 && server.connections == 2 })
        let stopping = try BackgroundThread { server.stop(grace: .seconds(60)) }
        #expect(eventually { (try? RawClient(server.port)) == nil })
        idle.send(Self.get)
        #expect(statuses(try idle.rest()) == [503])
        gate.open()
        #expect(try running.response().text == "done\n")
        stopping.join()
        #expect(try running.rest() == [])
    }

    @Test func endsAllOnceTheGraceIsOver() throws {
        let server = try HTTPServer.test(Gate().handler)
        let running = try RawClient(server.port)
        running.send(Self.get)
        #expect(eventually { server.activeRequests == 1 })
        server.stop(grace: .milliseconds(50))
        #expect(server.activeRequests == 0)
        _ = try running.rest()
    }

    /// Requests whose bodies end just while the server does.
    @Test func stopsInTheMiddleOfBodies() async throws {
        await #expect(processExitsWith: .success) {
            for _ in 0 ..< 40 {
                let handler = TestHandler { exchange in
                    usleep(20_000)
                    TestHandler.echo(exchange)
                }
                let server = try HTTPServer.test(handler)
                let clients = try (0 ..< 20).map { _ in try RawClient(server.port) }
                for client in clients {
                    client.send("POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
                }
                #expect(eventually { server.connections == 20 })
                let ending = try BackgroundThread {
                    for client in clients { client.send("0\r\n\r\n") }
                }
                server.stop(grace: .zero)
                ending.join()
            }
        }
    }

    @Test func leavesNoThreadAndNoDescriptor() async throws {
        await #expect(processExitsWith: .success) {
            func serve() throws {
                let server = try HTTPServer.test()
                for number in 0 ..< 50 {
                    let client = try RawClient(server.port)
                    client.send(StoppingTests.get)
                    _ = try client.response()
                    if number % 2 == 0 { client.send("GET /cut") }
                }
                server.stop(grace: .seconds(1))
            }
            try serve()
            // A thread that is done takes a moment to be gone.
            #expect(eventually { countOfEntries("/proc/self/task") <= 6 })
            let (files, threads) = (
                countOfEntries("/proc/self/fd"), countOfEntries("/proc/self/task")
            )
            for _ in 0 ..< 4 { try serve() }
            #expect(eventually { countOfEntries("/proc/self/fd") == files })
            #expect(eventually { countOfEntries("/proc/self/task") <= threads })
        }
    }

    @Test func refusesAnAddressThatIsTaken() throws {
        let server = try HTTPServer.test()
        defer { server.stop(grace: .zero) }
        #expect { try HTTPServer.test { $0.port = server.port } } throws: {
            ($0 as? ServerError)?.code == .address
        }
        #expect { try HTTPServer.test { $0.address = "192.0.2.1" } } throws: {
            ($0 as? ServerError)?.code == .address
        }
    }
}
