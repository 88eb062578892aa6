// Serves repositories by names of its own, to people that it knows by tokens of its own:
//
//     swift run ServeExample NAME=DIRECTORY... [PORT]
//     git clone http://reader:<the token that it prints>@127.0.0.1:PORT/NAME

import GitCore
import GitServer
import GitStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// Repositories by name, wherever they are on the disk. They could as well be looked up in a database.
struct NamedRepositories: RepositorySource {
    let byName: [ByteString: Repository]

    func find(_ path: [ByteString]) -> FoundRepository? {
        guard path.count == 1, let repository = byName[path[0]] else { return nil }
        return FoundRepository(repository, name: path[0], isPublic: false)
    }
}

/// One token lets everybody who has it read, and nobody write.
struct OneToken: Authorizer {
    let token: ByteString

    func decide(_ question: AccessQuestion) -> AccessDecision {
        switch question.login {
        case .token(token), .password(name: "reader", password: token):
            question.writes ? .forbidden : .allowed(user: "reader")
        default: .loginNeeded
        }
    }
}

@main
enum ServeExample {
    static func main() throws {
        var byName: [ByteString: Repository] = [:]
        var port: UInt16 = 0
        for argument in CommandLine.arguments.dropFirst() {
            let parts = ByteString(argument).split(UInt8(ascii: "="))
            if parts.count == 2 {
                byName[parts[0]] = try Repository.open(sourceAt: parts[1])
            } else if let number = UInt16(argument) {
                port = number
            }
        }
        let token = ByteString(String(UInt64.random(in: 1 ... .max), radix: 36))
        var options = ServerOptions(
            repositories: NamedRepositories(byName: byName), authorizer: OneToken(token: token))
        options.port = port
        options.log = { line in print(line, terminator: "") }
        let server = try Server(options)
        for name in byName.keys.sorted() {
            print("git clone http://reader:\(token)@127.0.0.1:\(server.port)/\(name)")
        }
        fflush(nil)
        _ = readLine()
        server.stop()
    }
}
