package import GitCore

#if canImport(Glibc)
    package import Glibc
#elseif canImport(Darwin)
    package import Darwin
#elseif canImport(Musl)
    package import Musl
#endif

/// An open file, closed when its owner lets go of it.
package struct File: ~Copyable, Sendable {
    package let descriptor: Int32
    /// For messages only.
    package let path: ByteString

    /// Takes over `descriptor`.
    package init(adopting descriptor: Int32, path: ByteString) {
        self.descriptor = descriptor
        self.path = path
    }

    /// open(2), O_CLOEXEC added.
    package init(
        _ path: ByteString, _ flags: Int32, mode: mode_t = 0o666
    ) throws(StoreError) {
        guard !path.bytes.contains(0) else {
            throw StoreError(.invalid, "path '\(path)' contains a NUL byte")
        }
        let descriptor = path.withCString { name in
            retrying { open(name, flags | O_CLOEXEC, mode) }
        }
        guard descriptor >= 0 else { throw .system("open", path) }
        self.init(adopting: descriptor, path: path)
    }

    deinit { close(descriptor) }

    package func status() throws(StoreError) -> stat {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .system("stat", path) }
        return status
    }

    package func size() throws(StoreError) -> UInt64 { UInt64(clamping: try status().st_size) }

    /// Writes all of `bytes` at the file's position.
    package func write(_ bytes: UnsafeRawBufferPointer) throws(StoreError) {
        var rest = bytes[...]
        while let base = UnsafeRawBufferPointer(rebasing: rest).baseAddress, !rest.isEmpty {
            let count = retrying { posixWrite(descriptor, base, rest.count) }
            guard count > 0 else { throw .system("write", path) }
            rest = rest.dropFirst(count)
        }
    }

    package func write(_ bytes: [UInt8]) throws(StoreError) {
        // Of a span, withUnsafeBytes carries a typed error; of an array it does not.
        try bytes.span.withUnsafeBytes { buffer throws(StoreError) in try write(buffer) }
    }

    /// Writes all of `bytes` at `offset`, whatever the file's position.
    package func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(StoreError) {
        var rest = bytes[...]
        var position = off_t(clamping: offset)
        while let base = UnsafeRawBufferPointer(rebasing: rest).baseAddress, !rest.isEmpty {
            let count = retrying { pwrite(descriptor, base, rest.count, position) }
            guard count > 0 else { throw .system("write", path) }
            rest = rest.dropFirst(count)
            position &+= off_t(count)
        }
    }

    /// Reads up to `buffer.count` bytes at the file's position; 0 at its end.
    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) -> Int {
        let count = retrying { posixRead(descriptor, buffer.baseAddress, buffer.count) }
        guard count >= 0 else { throw .system("read", path) }
        return count
    }

    /// Fills `buffer` from `offset`, or as much of it as the file has; says how much.
    package func read(
        into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
    ) throws(StoreError) -> Int {
        var done = 0
        while done < buffer.count {
            let count = retrying {
                pread(
                    descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done,
                    off_t(clamping: offset) &+ off_t(done))
            }
            guard count >= 0 else { throw .system("read", path) }
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// Everything from the file's position on, refused beyond `limit` bytes.
    package func readToEnd(limit: Int) throws(StoreError) -> [UInt8] {
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            var room = chunk.mutableSpan
            let count = try room.withUnsafeMutableBytes { buffer throws(StoreError) in
                try read(into: buffer)
            }
            if count == 0 { return content }
            guard content.count + count <= limit else {
                throw StoreError(.limit, "'\(path)' is larger than \(limit) bytes")
            }
            content += chunk[..<count]
        }
    }

    /// Asks the operating system to put what was written on the disk.
    package func sync() throws(StoreError) {
        guard retrying({ fsync(descriptor) }) == 0 else { throw .system("fsync", path) }
    }
}

// The type has methods of these names.
private func posixWrite(_ descriptor: Int32, _ base: UnsafeRawPointer, _ count: Int) -> Int {
    write(descriptor, base, count)
}

private func posixRead(_ descriptor: Int32, _ base: UnsafeMutableRawPointer?, _ count: Int) -> Int {
    read(descriptor, base, count)
}

/// Calls again while a signal interrupted the call.
package func retrying<Result: FixedWidthInteger>(_ call: () -> Result) -> Result {
    while true {
        let result = call()
        if result != -1 || errno != EINTR { return result }
    }
}

extension ByteString {
    /// The bytes as a C string. A path with a NUL in it must have been refused before.
    package func withCString<Result>(
        _ body: (UnsafePointer<CChar>) throws -> Result
    ) rethrows -> Result {
        try (bytes + [0]).withUnsafeBufferPointer { buffer in
            try buffer.withMemoryRebound(to: CChar.self) { chars in
                // SAFETY: the array has at least the NUL, so it has a base address.
                try body(chars.baseAddress.unsafelyUnwrapped)
            }
        }
    }
}

extension StoreError {
    /// The failure that `errno` tells of, of `operation` on `path`.
    package static func system(_ operation: String, _ path: ByteString) -> StoreError {
        let number = errno
        return StoreError(
            number == ENOENT || number == ENOTDIR ? .notFound : .system,
            "could not \(operation) '\(path)': \(String(cString: strerror(number)))",
            systemError: number)
    }
}
