import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

@main
enum Apus {
    @MainActor static func main() async {
        // A reader that goes away is an error of the write, which each writer handles.
        signal(SIGPIPE, SIG_IGN)
        // A file that may grow no further is an error of the write.
        signal(SIGXFSZ, SIG_IGN)
        let status = await status(of: commandLine().dropFirst())
        // Threads of the HTTP client may still be closing their connections: what exit(3) would take down
        // under them, the TLS library among it, is left to the system.
        fflush(nil)
        _exit(status)
    }

    private static func commandLine() -> [ByteString] {
        (0 ..< Int(CommandLine.argc)).compactMap { index in
            CommandLine.unsafeArgv[index].map { text in
                ByteString(UnsafeRawBufferPointer(start: text, count: strlen(text)))
            }
        }
    }

    /// Runs what the arguments say; what is left to say of a failure goes to standard error.
    @MainActor private static func status(of arguments: ArraySlice<ByteString>) async -> Int32 {
        let output = Output()
        var failure: Failure?
        do {
            try await TopLevel.execute(Array(arguments), Invocation(output: output))
        } catch {
            failure = Failure(error)
        }
        do {
            // What a command printed before it failed comes first, as with Git.
            try output.flush()
        } catch {
            failure = failure ?? Failure(error)
        }
        guard let failure else { return 0 }
        writeError(failure.text)
        return failure.status
    }
}
