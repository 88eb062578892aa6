public import GitCore

extension GitURL {
    /// The directory that `git clone` makes for this URL when it is told none: the last component of
    /// the path, without `.git`; of a URL without a path, the host.
    ///
    /// Control characters and white space become single spaces. With `bare`, `.git` is appended.
    /// Throws ``ClientError/Code/invalidURL`` where no name is left, or it would be `.` or `..`.
    public func directoryName(bare: Bool = false) throws(ClientError) -> ByteString {
        let slash = UInt8(ascii: "/")
        let colon = UInt8(ascii: ":")
        var name = shown.bytes.afterScheme
        name.dropTrailing { $0 == slash || $0.isWhiteSpace }
        if name.count > 5, name.suffix(5).elementsEqual("/.git".utf8) {
            name = name.dropLast(5)
            name.dropTrailing { $0 == slash }
        }
        // A colon is a port's where there is no path, and else may separate host and path.
        if !name.contains(slash), let mark = name.lastIndex(of: colon),
            name[(mark + 1)...].allSatisfy(\.isDigit)
        {
            name = name[..<mark]
        }
        if let mark = name.lastIndex(where: { $0 == slash || $0 == colon }) {
            name = name[(mark + 1)...]
        }
        if name.suffix(4).elementsEqual(".git".utf8) { name = name.dropLast(4) }
        guard !name.isEmpty else { throw noName }
        let collapsed = (name + (bare ? Array(".git".utf8) : [])).collapsingSpace
        guard !collapsed.isEmpty, collapsed != ".", collapsed != ".." else { throw noName }
        return collapsed
    }

    private var noName: ClientError {
        ClientError(
            .invalidURL,
            "no directory name could be guessed from '\(redacted)';"
                + " please specify a directory on the command line")
    }
}

extension [UInt8] {
    fileprivate var afterScheme: ArraySlice<UInt8> {
        guard let colon = firstIndex(of: UInt8(ascii: ":")),
            self[colon...].starts(with: "://".utf8)
        else { return self[...] }
        return self[(colon + 3)...]
    }
}

extension ArraySlice<UInt8> {
    fileprivate mutating func dropTrailing(_ isDropped: (UInt8) -> Bool) {
        while let byte = last, isDropped(byte) { removeLast() }
    }

    fileprivate var collapsingSpace: ByteString {
        let words = split { $0 < 0x20 || $0.isWhiteSpace }
        return ByteString(words.joined(separator: [UInt8(ascii: " ")]))
    }
}
