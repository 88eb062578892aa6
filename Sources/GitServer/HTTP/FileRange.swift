package import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

// The fields of a request for a part of a file (RFC 9110, 13.1.5 and 14.2):
//
//     Range: bytes=<first>-<last>      both are sent
//     Range: bytes=<first>-            to the end
//     Range: bytes=-<count>            so many at the end
//     If-Range: <ETag>                 the whole, if it is another file now
//
// What is not one range in this form asks for the whole, as RFC 9110 allows for all that Range says.

/// What a request wants of a file, or of anything else whose size is known.
package enum FileRange: Hashable, Sendable {
    case whole
    case part(Range<UInt64>)
    case unsatisfiable

    /// - Parameters:
    ///   - size: of the file, in bytes.
    ///   - tag: its strong ETag.
    package init(_ head: RequestHead, size: UInt64, tag: ByteString) {
        self = .whole
        guard head.method == "GET", let field = head.headers.value("range"),
            head.headers.value("if-range").map({ $0 == tag }) ?? true
        else { return }
        let unit = "bytes=".utf8.count
        guard ByteString(field.bytes.prefix(unit).map(\.lowercased)) == "bytes=" else { return }
        let ends = field.dropFirst(unit).split(UInt8(ascii: "-"))
        guard ends.count == 2, ends.contains(where: { !$0.isEmpty }),
            ends.allSatisfy({ $0.bytes.allSatisfy(\.isDigit) })
        else { return }
        let (first, last) = (Self.number(ends[0]), Self.number(ends[1]))
        if ends[0].isEmpty {
            self = last == 0 || size == 0 ? .unsatisfiable : .part(size - min(last, size) ..< size)
        } else if !ends[1].isEmpty, last < first {
            return
        } else if first >= size {
            self = .unsatisfiable
        } else {
            self = .part(first ..< (ends[1].isEmpty ? size : min(last, size - 1) + 1))
        }
    }

    /// Digits; as large as can be where they are too many.
    private static func number(_ digits: ByteString) -> UInt64 {
        var number: UInt64 = 0
        for digit in digits.bytes {
            let (tens, isTooLarge) = number.multipliedReportingOverflow(by: 10)
            let (sum, isToo) = tens.addingReportingOverflow(UInt64(digit & 0x0f))
            if isTooLarge || isToo { return .max }
            number = sum
        }
        return number
    }
}

extension HTTPResponse {
    /// The file, or what `head` asks for of it. It is closed once it is sent.
    ///
    /// - Parameters:
    ///   - descriptor: a regular file, which this takes over.
    ///   - status: what fstat(2) says of it.
    init(
        file descriptor: Int32, _ status: stat, for head: RequestHead,
        headers: [(name: String, value: String)]
    ) {
        self.init(
            file: descriptor, size: UInt64(max(0, status.st_size)), tag: Self.tag(status),
            for: head, headers: headers)
    }

    /// The same of a file whose size in bytes and whose strong ETag are known.
    package init(
        file descriptor: Int32, size: UInt64, tag: String, for head: RequestHead,
        headers: [(name: String, value: String)]
    ) {
        let range = FileRange(head, size: size, tag: ByteString(tag))
        if range == .unsatisfiable { closeDescriptor(descriptor) }
        self.init(range, of: size, tag: tag, headers: headers) { part in
            .file(
                descriptor: descriptor, offset: part.lowerBound,
                count: part.upperBound - part.lowerBound)
        }
    }

    /// What is wanted of so many bytes.
    ///
    /// - Parameter body: makes the body with a part of them; not called where there is no such part.
    package init(
        _ range: FileRange, of size: UInt64, tag: String,
        headers: [(name: String, value: String)], body: (Range<UInt64>) -> Body
    ) {
        let headers = headers + [("Accept-Ranges", "bytes"), ("ETag", tag)]
        switch range {
        case .whole: self.init(200, headers: headers, body: body(0 ..< size))
        case .part(let part):
            let place = "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(size)"
            self.init(206, headers: headers + [("Content-Range", place)], body: body(part))
        case .unsatisfiable:
            self.init(
                416, text: "There is no such part.",
                headers: [("Content-Range", "bytes */\(size)")])
        }
    }

    /// Another one for whatever the file is replaced by or changed to.
    private static func tag(_ status: stat) -> String {
        #if canImport(Darwin)
            let time = status.st_mtimespec
        #else
            let time = status.st_mtim
        #endif
        let parts = [
            UInt64(truncatingIfNeeded: status.st_ino), UInt64(truncatingIfNeeded: status.st_size),
            UInt64(truncatingIfNeeded: time.tv_sec), UInt64(truncatingIfNeeded: time.tv_nsec),
        ]
        return "\"" + parts.map { String($0, radix: 16) }.joined(separator: "-") + "\""
    }
}
