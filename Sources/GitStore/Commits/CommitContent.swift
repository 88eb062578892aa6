public import GitCore

/// The content of a commit that is to be made; its layout is in GitCore/Commit.swift.
public struct CommitContent: Sendable {
    public var tree: ObjectID
    public var parents: [ObjectID]
    public var author: Identity
    public var committer: Identity
    /// i18n.commitEncoding, where the message is not UTF-8.
    public var encoding: ByteString?
    public var message: ByteString

    public init(
        tree: ObjectID, parents: [ObjectID] = [], author: Identity, committer: Identity,
        encoding: ByteString? = nil, message: ByteString
    ) {
        self.tree = tree
        self.parents = parents
        self.author = author
        self.committer = committer
        self.encoding = encoding
        self.message = message
    }

    /// The bytes.
    ///
    /// - Throws: ``StoreError/Code/invalid`` where the message or the encoding cannot be written.
    public func encoded() throws(StoreError) -> [UInt8] {
        guard !message.bytes.contains(0) else {
            throw StoreError(.invalid, "a NUL byte in commit log message not allowed.")
        }
        var out: ByteString = "tree " + ByteString(tree.hexBytes) + "\n"
        for parent in parents { out = out + "parent " + ByteString(parent.hexBytes) + "\n" }
        out = out + "author " + author.encoded + "\n"
        out = out + "committer " + committer.encoded + "\n"
        if let encoding {
            guard !encoding.bytes.contains(where: { $0 < 0x20 }) else {
                throw StoreError(.invalid, "i18n.commitEncoding has a control character")
            }
            out = out + "encoding " + encoding + "\n"
        }
        return (out + "\n" + message).bytes
    }
}
