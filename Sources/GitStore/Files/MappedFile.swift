package import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// A file mapped into memory, read only, for as long as this object lives.
package final class MappedFile: Sendable {
    package let path: ByteString
    // SAFETY: mapped in init, never written, unmapped only in deinit. Git's own rule holds that packs
    // and indexes are replaced by rename and never written in place.
    nonisolated(unsafe) private let mapping: UnsafeRawBufferPointer

    package init(_ path: ByteString) throws(StoreError) {
        self.path = path
        let file = try File(path, O_RDONLY)
        let size = Int(clamping: try file.size())
        guard size > 0 else {
            mapping = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        guard let base = mmap(nil, size, PROT_READ, MAP_PRIVATE, file.descriptor, 0),
            base != MAP_FAILED
        else { throw .system("map", path) }
        mapping = UnsafeRawBufferPointer(start: base, count: size)
    }

    deinit {
        if let base = mapping.baseAddress {
            munmap(UnsafeMutableRawPointer(mutating: base), mapping.count)
        }
    }

    /// Lets the system take back the memory of a part that will not be read again soon. It can still
    /// be read.
    package func forget(_ part: UnsafeRawBufferPointer) {
        guard let base = mapping.baseAddress, let start = part.baseAddress else { return }
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let first = (start - base) / page * page
        let end = (start - base + part.count) / page * page
        guard first < end, end <= mapping.count else { return }
        madvise(UnsafeMutableRawPointer(mutating: base + first), end - first, MADV_DONTNEED)
    }

    package var count: Int { mapping.count }

    /// All of it. Valid only while this object is.
    package var unsafeBytes: UnsafeRawBufferPointer { mapping }

    package var bytes: Span<UInt8> {
        @_lifetime(borrow self)
        get {
            let span = Span<UInt8>(_unsafeElements: mapping.bindMemory(to: UInt8.self))
            return _overrideLifetime(span, borrowing: self)
        }
    }
}
