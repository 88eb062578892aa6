public import GitCore

extension Repository {
    /// The remote that is meant where none is named: that of the branch that HEAD is on, else the only
    /// one there is, else `origin`.
    public func defaultRemote() throws(StoreError) -> ByteString {
        if case .symbolic(let branch)? = try refs.read(.head),
            let key = ConfigKey(section: "branch", subsection: branch.short, name: "remote"),
            let name = config.entries.last(where: { $0.key == key })?.value
        {
            return name
        }
        let remotes = config.subsections("remote")
        return remotes.count == 1 ? remotes[0] : "origin"
    }
}
