/// A name that Git gives a meaning to wherever it stands in a work tree, and all the names that some
/// file system takes for it.
package struct SpecialName: Sendable {
    /// In lower case.
    private let name: StaticString
    /// The beginning of its short name on NTFS where that has a hash; nil for `.git`, which is too short
    /// to need one.
    private let hashed: StaticString?

    package static let git = SpecialName(name: ".git", hashed: nil)
    package static let gitmodules = SpecialName(name: ".gitmodules", hashed: "gi7eba")
    package static let gitattributes = SpecialName(name: ".gitattributes", hashed: "gi7d29")
    package static let gitignore = SpecialName(name: ".gitignore", hashed: "gi250a")
    package static let mailmap = SpecialName(name: ".mailmap", hashed: "maba30")

    /// Whether `component`, one component of a path, is the name in any case, or is taken for it.
    ///
    /// - Parameters:
    ///   - ntfs: whether what NTFS takes for it counts.
    ///   - hfs: whether what HFS+ takes for it counts.
    package func matches(
        _ component: Span<UInt8>, ntfs: Bool = true, hfs: Bool = true
    ) -> Bool {
        if equalsIgnoringCase(component, name) { return true }
        if ntfs, isTakenByNTFS(component) { return true }
        return hfs && HFSNames.isTaken(component, for: name)
    }

    private func isTakenByNTFS(_ component: Span<UInt8>) -> Bool {
        guard let hashed else { return NTFSNames.isDotGit(component) }
        return NTFSNames.isTaken(component, for: name, hashed: hashed)
    }
}
