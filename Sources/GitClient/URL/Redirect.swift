package import GitCore

extension GitURL {
    /// Where the value of a `Location` header leads from here (RFC 3986, section 5.2), by the same
    /// parser as every other URL. A fragment is dropped, and a user and password with it: what a
    /// server puts there is no credential of ours.
    package func resolving(location: ByteString) throws(ClientError) -> GitURL {
        let reference = location.bytes.prefix { $0 != UInt8(ascii: "#") }
        let scheme: ByteString = scheme == .https ? "https:" : "http:"
        let origin = scheme + "//" + authority
        let target: ByteString
        if reference.starts(with: "//".utf8) {
            target = scheme + ByteString(reference)
        } else if reference.first == UInt8(ascii: "/") {
            target = origin + ByteString(reference)
        } else if reference.first == UInt8(ascii: "?") {
            target = origin + path + ByteString(reference)
        } else if reference.isAbsoluteURL {
            target = ByteString(reference)
        } else {
            let slash = path.bytes.lastIndex(of: UInt8(ascii: "/")) ?? 0
            target = origin + ByteString(path.bytes.prefix(slash + 1)) + ByteString(reference)
        }
        return try GitURL(GitURL(target).connectionTextIfHTTP)
    }

    private var connectionTextIfHTTP: ByteString { isHTTP ? connectionText : shown }

    /// The base that this URL is with `tail` appended: after redirects, where the repository is now.
    /// Nil where this URL does not end in `tail`: then it is not another place of the same service.
    func base(withoutTail tail: ByteString) -> GitURL? {
        let text = connectionText
        guard text.hasSuffix("/" + tail) else { return nil }
        return try? GitURL(text.dropLast(tail.count))
    }
}

extension ArraySlice<UInt8> {
    fileprivate var isAbsoluteURL: Bool {
        let name = prefix { $0.isSchemeByte }
        return name.first?.isLetter == true && self[name.endIndex...].first == UInt8(ascii: ":")
    }
}
