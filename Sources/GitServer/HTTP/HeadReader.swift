internal import CMicroHTTPD
internal import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

// libmicrohttpd before 1.0 takes a head apart where it lies, and ends each part with zeros in place:
//
//     method 0 target 0 version 0 0
//     name 0 [SP / HTAB]* value 0 0        for each field; two zeros where CR LF was
//     0 0                                  where the empty line was
//
// It reads a line that ends in LF alone, joins lines that are folded, and ends a value at a NUL. Each of
// these leaves the parts other than so, which is how they are found: a proxy in front may have read the
// same bytes differently.

/// Takes the head of a request over from libmicrohttpd.
struct HeadReader {
    private let connection: OpaquePointer
    private var fields: [(name: ByteString, value: ByteString)] = []
    /// Where the next part has to begin; nil once one did not.
    private var next: UnsafePointer<CChar>?

    /// - Parameters:
    ///   - target: as it was handed over when the first line was read, and still lies there.
    ///   - allowsSlash: whether a component of the path may hold an encoded slash.
    static func read(
        _ connection: OpaquePointer, method: UnsafePointer<CChar>, target: RawTarget,
        version: UnsafePointer<CChar>, peer: String, allowsSlash: Bool
    ) throws(HeadFault) -> RequestHead {
        var reader = HeadReader(connection: connection)
        reader.next = version + strlen(version) + 2
        withUnsafeMutablePointer(to: &reader) { reader in
            apus_mhd_each_header(
                connection,
                { context, _, name, nameCount, value, valueCount in
                    // SAFETY: the context is `reader` below, which outlives the call.
                    context?.assumingMemoryBound(to: HeadReader.self).pointee.add(
                        name, nameCount, value, valueCount)
                    return apus_mhd_yes
                }, reader)
        }
        if apus_mhd_refuses_bad_heads == 0 {
            let isWhole =
                method + strlen(method) + 1 == target.start
                && target.start.map { $0 + target.bytes.count + 1 } == version
                && reader.next.map { $0[0] == 0 && $0[1] == 0 } == true
            guard isWhole else { throw .badRequest }
        }
        return try RequestHead(
            method: ByteString(String(cString: method)), target: target.bytes,
            version: ByteString(String(cString: version)),
            headers: RequestHeaders(reader.fields), peer: peer, allowsSlash: allowsSlash)
    }

    private init(connection: OpaquePointer) { self.connection = connection }

    private mutating func add(
        _ name: UnsafePointer<CChar>?, _ nameCount: Int, _ value: UnsafePointer<CChar>?,
        _ valueCount: Int
    ) {
        guard let name, let value else {
            next = nil
            return
        }
        fields.append((Self.bytes(name, nameCount), Self.bytes(value, valueCount)))
        guard let expected = next, name == expected else {
            next = nil
            return
        }
        // Nothing but blanks between the zero where the colon was and the value.
        var place = name + nameCount + 1
        while place < value, place.pointee == 0x20 || place.pointee == 0x09 { place += 1 }
        next = place == value && value[valueCount + 1] == 0 ? value + valueCount + 2 : nil
    }

    private static func bytes(_ start: UnsafePointer<CChar>, _ count: Int) -> ByteString {
        ByteString(UnsafeRawBufferPointer(start: start, count: count))
    }
}

/// The target of a request before libmicrohttpd decodes it.
struct RawTarget {
    let bytes: ByteString
    /// Where it lies; nil where there was none.
    let start: UnsafePointer<CChar>?

    init(_ start: UnsafePointer<CChar>?) {
        self.start = start
        bytes = start.map { ByteString(UnsafeRawBufferPointer(start: $0, count: strlen($0))) } ?? ""
    }
}
