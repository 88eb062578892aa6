import GitCore
import GitStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// Standard input, or a file read as one.
struct Input: ~Copyable {
    /// Longest line taken, in bytes: far beyond any path or object name.
    static let maximumLine = 1 << 20

    private let file: File
    private var buffer: [UInt8] = []
    /// What of ``buffer`` was handed out.
    private var used = 0
    private var isAtEnd = false
    private var chunk = [UInt8](repeating: 0, count: 1 << 16)

    init(_ file: consuming File) { self.file = file }

    /// A copy of descriptor 0, so that closing it does no harm.
    static func standard() throws -> Input {
        let descriptor = dup(STDIN_FILENO)
        guard descriptor >= 0 else { throw StoreError.system("read", "standard input") }
        return Input(File(adopting: descriptor, path: "standard input"))
    }

    /// The next bytes, at most 64 KiB; nil at the end.
    mutating func nextChunk() throws -> ArraySlice<UInt8>? {
        if used < buffer.count {
            defer { used = buffer.count }
            return buffer[used...]
        }
        let count = try fill()
        return count > 0 ? chunk[..<count] : nil
    }

    /// Everything that is left.
    mutating func readAll() throws -> [UInt8] {
        var content: [UInt8] = []
        while let part = try nextChunk() { content += part }
        return content
    }

    /// The next line without its end; nil at the end of the input.
    mutating func nextLine(endedBy terminator: UInt8 = 0x0a) throws -> ByteString? {
        var searched = used
        while true {
            if let end = buffer[searched...].firstIndex(of: terminator) {
                defer { used = end + 1 }
                return ByteString(buffer[used ..< end])
            }
            if isAtEnd {
                defer { used = buffer.count }
                return used < buffer.count ? ByteString(buffer[used...]) : nil
            }
            guard buffer.count - used <= Self.maximumLine else {
                throw Failure("line of more than \(Self.maximumLine) bytes in \(file.path)")
            }
            buffer.removeFirst(used)
            used = 0
            searched = buffer.count
            let count = try fill()
            buffer += chunk[..<count]
        }
    }

    /// Whether the next line is here already: ``nextLine(endedBy:)`` will not wait for it.
    func hasLine(endedBy terminator: UInt8 = 0x0a) -> Bool {
        isAtEnd || buffer[used...].contains(terminator)
    }

    private mutating func fill() throws -> Int {
        guard !isAtEnd else { return 0 }
        let count = try readSome()
        isAtEnd = count == 0
        return count
    }

    private mutating func readSome() throws(StoreError) -> Int {
        let descriptor = file.descriptor
        let count = chunk.withUnsafeMutableBytes { bytes in
            retrying { read(descriptor, bytes.baseAddress, bytes.count) }
        }
        guard count >= 0 else { throw .system("read", file.path) }
        return count
    }
}
