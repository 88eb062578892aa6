// What indexing a pack cannot do without, on one thread: inflating every entry, hashing every byte of
// the objects, and copying it once.
//
//     EngineFloor PACK      prints `entries=`, `packed=` and `unpacked=` (bytes), then for inflate,
//                           hash and copy the seconds by the clock and of processor: `hash=1.25 1.24`
//     EngineFloor --kernel  prints the name of the SHA-1 kernel that is measured

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

@main
enum EngineFloor {
    static func main() {
        do throws(Failure) {
            switch CommandLine.arguments.dropFirst().first {
            case "--kernel": print(Hashing.kernel)
            case let path? where CommandLine.arguments.count == 2: try measure(path)
            default: throw Failure("usage: EngineFloor (<pack> | --kernel)")
            }
        } catch {
            "EngineFloor: \(error.message)\n".withCString { _ = write(2, $0, strlen($0)) }
            exit(1)
        }
    }

    static func measure(_ path: String) throws(Failure) {
        let pack = try MappedPack(path: path)
        // Not measured: finding the entries, which also reads the pack into memory.
        let entries = try pack.entries()
        let content = try Content(pack, entries)
        print("entries=\(entries.count)")
        print("packed=\(pack.bytes.count)")
        print("unpacked=\(entries.reduce(0) { $0 + $1.unpacked })")
        try timed("inflate") { () throws(Failure) in try inflateAll(pack, entries) }
        try timed("hash") { () throws(Failure) in try Hashing.hashAll(entries, content) }
        try timed("copy") { () throws(Failure) in try copyAll(entries, content) }
    }

    static func inflateAll(_ pack: MappedPack, _ entries: [PackEntry]) throws(Failure) {
        let inflater = try Inflater()
        for entry in entries {
            _ = try inflater.inflate(pack.bytes, at: entry.stream, size: entry.inflated)
        }
    }

    static func copyAll(_ entries: [PackEntry], _ content: Content) throws(Failure) {
        let target = UnsafeMutableRawBufferPointer.allocate(
            byteCount: content.bytes.count, alignment: 64)
        defer { target.deallocate() }
        var position = 0
        var last: UInt8 = 0
        for object in content.objects(entries) {
            if position + object.count > target.count { position = 0 }
            UnsafeMutableRawBufferPointer(rebasing: target[position ..< position + object.count])
                .copyMemory(from: object)
            position += object.count
            // Read again, so that no copy can be left out.
            if position > 0 { last ^= target[position - 1] }
        }
        guard last != 0 || !entries.isEmpty else { throw Failure("nothing was copied") }
    }

    static func timed(_ name: String, _ work: () throws(Failure) -> Void) throws(Failure) {
        let wall = seconds(CLOCK_MONOTONIC), processor = seconds(CLOCK_PROCESS_CPUTIME_ID)
        try work()
        print(
            "\(name)=\(rounded(seconds(CLOCK_MONOTONIC) - wall))",
            rounded(seconds(CLOCK_PROCESS_CPUTIME_ID) - processor))
    }

    static func seconds(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    static func rounded(_ seconds: Double) -> Double { (seconds * 1000).rounded() / 1000 }
}
