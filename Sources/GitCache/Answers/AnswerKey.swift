package import GitCore

/// Which answer: a digest of everything that changes its bytes, and the repository it is of.
///
/// Nothing is read out of the digest. What went into it is the caller's business; a secret among that
/// has to go in through a keyed hash.
package struct AnswerKey: Hashable, Sendable {
    /// Bytes of a digest.
    package static let digestSize = 32

    package let digest: ByteString
    /// For ``AnswerStore/purge(_:)``. Answers of other repositories are others, whatever the digest.
    package let repository: ByteString

    /// nil unless `digest` has ``digestSize`` bytes.
    package init?(digest: ByteString, repository: ByteString) {
        guard digest.count == Self.digestSize else { return nil }
        self.digest = digest
        self.repository = repository
    }
}
