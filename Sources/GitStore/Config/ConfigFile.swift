public import GitCore

/// One configuration file, to read or to change. A change leaves every other byte as it was.
public struct ConfigFile: Sendable {
    /// The file's content.
    public private(set) var bytes: [UInt8]
    private(set) var elements: [ConfigElement]

    /// Longest file that is read, in bytes.
    public static let maximumSize = 64 << 20

    /// An empty file.
    public init() {
        bytes = []
        elements = []
    }

    /// - Throws: ``ParseError`` at the first byte that makes no sense (git-config, "Syntax").
    public init(parsing bytes: [UInt8]) throws(ParseError) {
        self.bytes = bytes
        elements = try ConfigScanner.elements(of: bytes)
    }

    /// Reads the file at `path`; nil where there is none.
    package init?(path: ByteString) throws(StoreError) {
        let content: [UInt8]
        do {
            content = try FileSystem.read(path, limit: Self.maximumSize)
        } catch  where error.code == .notFound { return nil }
        do throws(ParseError) {
            try self.init(parsing: content)
        } catch {
            let line = content.prefix(Int(clamping: error.offset)).count { $0 == 0x0a } + 1
            throw StoreError(
                .corrupt, "bad config line \(line) in file '\(path)': \(error.reason)",
                cause: error)
        }
    }

    /// Every variable in order; one without `=` has no value, which means true. Nothing is included:
    /// `include.path` is a variable like others here.
    public var entries: [(key: ConfigKey, value: ByteString?)] {
        elements.compactMap { element in
            guard case .entry(let value) = element.kind else { return nil }
            return (ConfigKey(parsed: element.key), value)
        }
    }

    /// Every value of the variable, in order.
    public func values(_ key: ConfigKey) -> [ByteString?] {
        entries.filter { $0.key == key }.map(\.value)
    }

    /// Gives the variable this one value: in the place of its last one if there is one, else at the
    /// end of its section, else in a new section at the end of the file.
    public mutating func set(_ key: ConfigKey, _ value: ByteString) throws(StoreError) {
        let line = try Self.line(key, value)
        guard let last = positions(of: key).last else { return try insert(key, line) }
        try replace(elements[last], with: line)
        for index in positions(of: key).dropLast().reversed() {
            try replace(elements[index], with: [])
        }
    }

    /// Adds one more value, after those that are there.
    public mutating func add(_ key: ConfigKey, _ value: ByteString) throws(StoreError) {
        try insert(key, Self.line(key, value))
    }

    /// Removes every value of the variable, and its section if that is then empty and without
    /// comments; says whether there was one.
    @discardableResult
    public mutating func unset(_ key: ConfigKey) throws(StoreError) -> Bool {
        let found = positions(of: key)
        for index in found.reversed() { try replace(elements[index], with: []) }
        if !found.isEmpty { try removeBlankSections(key.stem) }
        return !found.isEmpty
    }

    /// Removes a section, each time it occurs, with all in it; says whether it was there.
    @discardableResult
    public mutating func removeSection(
        _ section: ByteString, subsection: ByteString? = nil
    ) throws(StoreError) -> Bool {
        let lower = ByteString(section.bytes.map(ConfigKey.lowercased))
        let stem = subsection.map { lower + "." + $0 } ?? lower
        let blocks = blocks(stem)
        for block in blocks.reversed() { try splice(block, with: []) }
        return !blocks.isEmpty
    }

    // MARK: Where things are

    private func positions(of key: ConfigKey) -> [Int] {
        elements.indices.filter { elements[$0].kind != .header && elements[$0].key == key.bytes }
    }

    /// The bytes of each block of the section: from its header up to the next header.
    private func blocks(_ stem: ByteString) -> [Range<Int>] {
        let headers = elements.filter { $0.kind == .header }
        return headers.indices.compactMap { index in
            guard headers[index].key == stem else { return nil }
            let next = index + 1
            let end = next < headers.count ? headers[next].range.lowerBound : bytes.count
            return headers[index].range.lowerBound ..< end
        }
    }

    private mutating func removeBlankSections(_ stem: ByteString) throws(StoreError) {
        for block in blocks(stem).reversed() {
            let header = elements.first { $0.range.lowerBound == block.lowerBound }
            let rest = (header?.range.upperBound ?? block.upperBound) ..< block.upperBound
            if bytes[rest].allSatisfy({ [0x20, 0x09, 0x0a, 0x0d].contains($0) }) {
                try splice(block, with: [])
            }
        }
    }

    // MARK: Changes

    private mutating func insert(_ key: ConfigKey, _ line: [UInt8]) throws(StoreError) {
        guard
            let header = elements.lastIndex(where: { $0.kind == .header && $0.key == key.stem })
        else {
            return try splice(bytes.count ..< bytes.count, with: try Self.header(key) + line)
        }
        var last = header
        while last + 1 < elements.count, elements[last + 1].kind != .header { last += 1 }
        var place = elements[last].range.upperBound
        if last == header {
            // After what else is on the header's line, unless that is another header.
            let limit =
                last + 1 < elements.count ? elements[last + 1].range.lowerBound : bytes.count
            let lineEnd = bytes[place ..< limit].firstIndex(of: 0x0a).map { $0 + 1 }
            place = lineEnd ?? (limit == bytes.count ? limit : place)
        }
        try splice(place ..< place, with: line)
    }

    /// Puts `line` in the place of an entry, with the blanks before it.
    private mutating func replace(
        _ entry: ConfigElement, with line: [UInt8]
    ) throws(StoreError) {
        var start = entry.range.lowerBound
        while start > 0, bytes[start - 1] == 0x20 || bytes[start - 1] == 0x09 { start -= 1 }
        try splice(start ..< entry.range.upperBound, with: line)
    }

    /// Replaces `range` by whole lines. What comes before is made to end its line first.
    private mutating func splice(_ range: Range<Int>, with lines: [UInt8]) throws(StoreError) {
        var before = bytes[..<range.lowerBound]
        let after = bytes[range.upperBound...]
        let isAtLineStart = before.isEmpty || before.last == 0x0a || before == [0xef, 0xbb, 0xbf]
        if !isAtLineStart, !(lines.isEmpty && after.isEmpty) {
            // A `\` at the end of the file would join the next line on: an empty one stops that.
            before += before.last == 0x5c ? [0x0a, 0x0a] : [0x0a]
        }
        let changed = Array(before + lines + after)
        do throws(ParseError) {
            elements = try ConfigScanner.elements(of: changed)
        } catch {
            throw StoreError("changed configuration", error)
        }
        bytes = changed
    }

    // MARK: Writing

    private static func header(_ key: ConfigKey) throws(StoreError) -> [UInt8] {
        var out: [UInt8] = [0x5b] + key.section.bytes
        if let subsection = key.subsection {
            out += [0x20, 0x22]
            for byte in subsection.bytes {
                if byte == 0x22 || byte == 0x5c { out.append(0x5c) }
                out.append(byte)
            }
            out.append(0x22)
        }
        return out + [0x5d, 0x0a]
    }

    private static func line(_ key: ConfigKey, _ value: ByteString) throws(StoreError) -> [UInt8] {
        guard !value.bytes.contains(0) else {
            throw StoreError(.invalid, "value of '\(key)' contains a NUL byte")
        }
        return [0x09] + key.name.bytes + Array(" = ".utf8) + quoted(value.bytes) + [0x0a]
    }

    /// The value so that reading gives the same bytes back: quotes where blanks at the ends, a
    /// comment sign or a CR would be lost (CVE-2025-48384).
    private static func quoted(_ value: [UInt8]) -> [UInt8] {
        let needsQuotes =
            value.first == 0x20 || value.last == 0x20
            || value.contains { $0 == 0x23 || $0 == 0x3b || $0 == 0x0d }
        var out: [UInt8] = needsQuotes ? [0x22] : []
        for byte in value {
            switch byte {
            case 0x0a: out += [0x5c, 0x6e]
            case 0x09: out += [0x5c, 0x74]
            case 0x22, 0x5c: out += [0x5c, byte]
            default: out.append(byte)
            }
        }
        return out + (needsQuotes ? [0x22] : [])
    }
}
