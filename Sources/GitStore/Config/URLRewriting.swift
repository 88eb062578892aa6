public import GitCore

extension Config {
    /// The URL to talk to in place of `url`: the longest `url.<base>.insteadOf` that begins it is
    /// replaced by its base; for a push, `url.<base>.pushInsteadOf` comes first. Unchanged where none
    /// does.
    public func rewriting(url: ByteString, forPush: Bool = false) -> ByteString {
        if forPush, let pushed = rewritten(url, "pushinsteadof") { return pushed }
        return rewritten(url, "insteadof") ?? url
    }

    private func rewritten(_ url: ByteString, _ name: ByteString) -> ByteString? {
        var best: (prefix: ByteString, base: ByteString)?
        for entry in entries where entry.key.name == name && entry.key.section == "url" {
            guard let prefix = entry.value, let base = entry.key.subsection,
                url.hasPrefix(prefix), prefix.count > best?.prefix.count ?? -1
            else { continue }
            best = (prefix, base)
        }
        return best.map { $0.base + url.dropFirst($0.prefix.count) }
    }
}
