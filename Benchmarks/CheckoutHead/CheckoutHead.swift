// Writes the files of HEAD and the index of a repository that has neither yet (`clone --no-checkout`),
// the way a clone does: beside `git checkout`, which apus has no command for.
//
//     CheckoutHead DIRECTORY

import GitCore
import GitStore
import GitWorktree

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

@main
enum CheckoutHead {
    static func main() {
        guard CommandLine.arguments.count == 2 else { fail("usage: CheckoutHead <directory>") }
        do {
            try checkOut(ByteString(CommandLine.arguments[1]))
        } catch {
            fail("\(error)")
        }
    }

    static func checkOut(_ directory: ByteString) throws {
        let repository = try Repository.open(
            gitDirectory: directory / ".git", workTree: directory)
        guard let head = try repository.refs.resolve(.head) else { fail("HEAD is no commit") }
        let checkout = try Checkout(
            objects: repository.objects, workTree: directory,
            gitDirectory: repository.gitDirectory, config: repository.config)
        let tree = try repository.objects.peel(head.oid, to: .tree)
        let index = try checkout.run(tree: tree, warn: say)
        try index.write(to: repository.gitDirectory / "index")
    }

    static func say(_ message: String) {
        "CheckoutHead: \(message)\n".withCString { _ = write(2, $0, strlen($0)) }
    }

    static func fail(_ message: String) -> Never {
        say(message)
        exit(1)
    }
}
