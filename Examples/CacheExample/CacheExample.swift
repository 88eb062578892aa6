// Stands between Git clients and an upstream, until its standard input ends or has a line:
//
//     swift run CacheExample HOST[=URL] DIRECTORY [PORT]
//     git clone http://127.0.0.1:PORT/HOST/<path of a repository>

import GitCache
import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

@main
enum CacheExample {
    static func main() throws {
        let arguments = CommandLine.arguments.dropFirst().map { ByteString($0) }
        guard arguments.count >= 2 else {
            return print("usage: CacheExample <host>[=<url>] <directory> [<port>]")
        }
        let upstream = try UpstreamHost(parsing: arguments[0])
        var options = CacheOptions(store: arguments[1], upstreams: [upstream])
        options.port = CommandLine.arguments.dropFirst(3).first.flatMap { UInt16($0) } ?? 0
        options.answerBudget = 1 << 30
        // When upstream is away, clients get for an hour what it has shown them before.
        options.staleness = .seconds(3_600)
        options.log = { line in print(line, terminator: "") }
        do {
            let cache = try Cache(options)
            print("git clone http://127.0.0.1:\(cache.port)/\(upstream.name)/<repository>")
            fflush(nil)
            _ = readLine()
            cache.stop()
        } catch let error as CacheError where error.code == .locked {
            print("another cache has that directory: \(error)")
        }
    }
}
