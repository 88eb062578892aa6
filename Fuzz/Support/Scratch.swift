#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// An `objects` directory of this process alone, with a `pack` in it, below the one that
/// APUS_FUZZ_SCRATCH names: best in memory. Who set that removes it.
public func scratchObjects() -> String {
    let path = (environment("APUS_FUZZ_SCRATCH") ?? ".") + "/objects-\(getpid())"
    for directory in [path, path + "/pack"] {
        let made = mkdir(directory, 0o700)
        expect(made == 0 || errno == EEXIST, "cannot make '\(directory)'")
    }
    return path
}
