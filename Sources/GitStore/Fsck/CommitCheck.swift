import GitCore

// The layout of commits and tags is in GitCore/Commit.swift.

extension ObjectChecker {
    func checkCommit(_ content: [UInt8]) -> [ObjectFault] {
        var found: [ObjectFault] = []
        if let fault = headerFault(content) { return [fault] }
        var lines = HeaderLines(content.span, format)
        if let fault = lines.readOID("tree", missing: "missingTree", bad: "badTreeSha1") {
            return [fault]
        }
        while lines.isNext("parent ") {
            if let fault = lines.readOID("parent", missing: "", bad: "badParentSha1") {
                return [fault]
            }
        }
        var authors = 0
        while lines.isNext("author ") {
            authors += 1
            if let fault = lines.readIdentity("author ") { return [fault] }
        }
        if authors == 0 {
            return [.error("missingAuthor", "invalid format - expected 'author' line")]
        }
        if authors > 1 {
            found.append(.error("multipleAuthors", "invalid format - multiple 'author' lines"))
            return found
        }
        guard lines.isNext("committer ") else {
            return [.error("missingCommitter", "invalid format - expected 'committer' line")]
        }
        if let fault = lines.readIdentity("committer ") { return [fault] }
        if content.contains(0) {
            found.append(
                ObjectFault(.warning, "nulInCommit", "NUL byte in the commit object body"))
        }
        return found
    }

    func checkTag(_ content: [UInt8]) -> [ObjectFault] {
        if let fault = headerFault(content) { return [fault] }
        var lines = HeaderLines(content.span, format)
        if let fault = lines.readOID("object", missing: "missingObject", bad: "badObjectSha1") {
            return [fault]
        }
        guard let type = lines.readValue("type ") else {
            return [.error("missingTypeEntry", "invalid format - expected 'type' line")]
        }
        guard ObjectKind(name: type.bytes) != nil else {
            return [.error("badType", "invalid 'type' value")]
        }
        guard let name = lines.readValue("tag ") else {
            return [.error("missingTagEntry", "invalid format - expected 'tag' line")]
        }
        var found: [ObjectFault] = []
        if !RefName.isWellFormed("refs/tags/" + name) {
            found.append(ObjectFault(.info, "badTagName", "invalid 'tag' name: \(name)"))
        }
        if !lines.isNext("tagger ") {
            found.append(
                ObjectFault(
                    .info, "missingTaggerEntry", "invalid format - expected 'tagger' line"))
        } else if let fault = lines.readIdentity("tagger ") {
            found.append(fault)
        }
        return found
    }

    /// The headers must end, and hold no NUL.
    private func headerFault(_ content: [UInt8]) -> ObjectFault? {
        var previous: UInt8 = 0
        for (offset, byte) in content.enumerated() {
            if byte == 0 {
                return .error("nulInHeader", "unterminated header: NUL at offset \(offset)")
            }
            if byte == 0x0a, previous == 0x0a { return nil }
            previous = byte
        }
        return previous == 0x0a ? nil : .error("unterminatedHeader", "unterminated header")
    }
}

extension ObjectFault {
    static func error(_ id: String, _ message: String) -> ObjectFault {
        ObjectFault(.error, id, message)
    }
}

/// The header lines of a commit or tag, read one by one, which are known to be ended.
private struct HeaderLines: ~Escapable {
    private var cursor: ByteCursor
    private let format: ObjectFormat

    @_lifetime(copy content)
    init(_ content: Span<UInt8>, _ format: ObjectFormat) {
        cursor = ByteCursor(content)
        self.format = format
    }

    func isNext(_ key: StaticString) -> Bool {
        var ahead = cursor
        return ahead.skip(key)
    }

    /// The rest of a line that begins with `key`; nil, and nothing read, where another comes.
    @_lifetime(self: copy self)
    mutating func readValue(_ key: StaticString) -> ByteString? {
        guard cursor.skip(key), let line = try? cursor.read(until: 0x0a) else { return nil }
        return ByteString(line)
    }

    /// Reads `<key> <oid>`.
    @_lifetime(self: copy self)
    mutating func readOID(
        _ key: StaticString, missing: String, bad: String
    ) -> ObjectFault? {
        guard cursor.skip(key), cursor.skip(" ") else {
            return .error(missing, "invalid format - expected '\(key)' line")
        }
        guard (try? cursor.readHexObjectID(format)) != nil, cursor.skip("\n") else {
            return .error(bad, "invalid '\(key)' line format - bad sha1")
        }
        return nil
    }

    /// Reads `<key> <name> <<mail>> <seconds> <zone>`.
    @_lifetime(self: copy self)
    mutating func readIdentity(_ key: StaticString) -> ObjectFault? {
        guard let line = readValue(key) else { return nil }
        return identityFault(line.bytes[...])
    }
}

/// What is wrong with the line of an author, committer or tagger.
private func identityFault(_ line: ArraySlice<UInt8>) -> ObjectFault? {
    func fault(_ id: String, _ what: String) -> ObjectFault {
        .error(id, "invalid author/committer line - \(what)")
    }
    let lt = UInt8(ascii: "<")
    let gt = UInt8(ascii: ">")
    if line.first == lt { return fault("missingNameBeforeEmail", "missing space before email") }
    guard let open = line.firstIndex(where: { $0 == lt || $0 == gt }) else {
        return fault("missingEmail", "missing email")
    }
    if line[open] == gt { return fault("badName", "bad name") }
    if line[open - 1] != 0x20 {
        return fault("missingSpaceBeforeEmail", "missing space before email")
    }
    let mail = line[(open + 1)...]
    guard let close = mail.firstIndex(where: { $0 == lt || $0 == gt }), line[close] == gt else {
        return fault("badEmail", "bad email")
    }
    var rest = line[(close + 1)...]
    guard rest.popFirst() == 0x20 else {
        return fault("missingSpaceBeforeDate", "missing space before date")
    }
    return dateFault(rest, fault)
}

/// `<seconds> <zone>`: seconds in decimal, within what 64 bits hold; `+0130`.
private func dateFault(
    _ text: ArraySlice<UInt8>, _ fault: (String, String) -> ObjectFault
) -> ObjectFault? {
    let digits = text.prefix { (0x30 ... 0x39).contains($0) }
    let rest = text[digits.endIndex...]
    if text.first == 0x30, digits.count > 1 || rest.first != 0x20 {
        return fault("zeroPaddedDate", "zero-padded date")
    }
    if !digits.isEmpty, Int64(String(decoding: digits, as: UTF8.self)) == nil {
        return fault("badDateOverflow", "date causes integer overflow")
    }
    guard !digits.isEmpty, rest.first == 0x20 else { return fault("badDate", "bad date") }
    let zone = Array(rest.dropFirst())
    guard zone.count == 5, zone[0] == UInt8(ascii: "+") || zone[0] == UInt8(ascii: "-"),
        zone[1...].allSatisfy({ (0x30 ... 0x39).contains($0) })
    else { return fault("badTimezone", "bad time zone") }
    return nil
}
