package import GitCore
import GitStore
package import GitWire

/// Which of a server's refs `git ls-remote` is to list.
package struct RefSelection: Sendable {
    package var heads = false
    package var tags = false
    /// Only what is a ref: not HEAD, and not what tags lead to.
    package var refsOnly = false
    /// A ref is wanted if one of them, after a slash, matches the end of `/<name>`; all if there are
    /// none.
    package var patterns: [ByteString] = []

    package init() {}

    /// The `ref-prefix`es that spare the server what is not wanted.
    package var prefixes: [ByteString] {
        (heads ? ["refs/heads/"] : []) + (tags ? ["refs/tags/"] : [])
    }

    /// One line of the list.
    package struct Line: Sendable {
        package let oid: ObjectID
        /// A ref's name; `<name>^{}` for what a tag leads to.
        package let name: ByteString
        package let symrefTarget: RefName?
    }

    package func lines(of refs: AdvertisedRefs) -> [Line] {
        let patterns = patterns.map { WildPattern("*/" + $0, .crossingSlashes) }
        var lines: [Line] = []
        func add(_ oid: ObjectID, _ name: ByteString, _ target: RefName?) {
            guard patterns.isEmpty || patterns.contains(where: { $0.matches("/" + name) }) else {
                return
            }
            lines.append(Line(oid: oid, name: name, symrefTarget: target))
        }
        for ref in refs.refs where isWanted(ref.name) {
            add(ref.oid, ref.name.bytes, ref.symrefTarget)
            if let peeled = ref.peeled, !refsOnly { add(peeled, ref.name.bytes + "^{}", nil) }
        }
        return lines
    }

    private func isWanted(_ name: RefName) -> Bool {
        guard heads || tags || refsOnly else { return true }
        guard name.bytes.hasPrefix("refs/") else { return false }
        guard heads || tags else { return true }
        return heads && name.bytes.hasPrefix("refs/heads/")
            || tags && name.bytes.hasPrefix("refs/tags/")
    }
}
