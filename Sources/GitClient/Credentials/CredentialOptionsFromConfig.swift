public import GitStore

extension CredentialOptions {
    /// What Git's `credential.*` and `credential.<url>.*` settings, `core.askPass` and its
    /// environment variables say for `url`, which may have a user.
    ///
    /// Throws ``ClientError/Code/invalid`` for a value that cannot be read.
    public init(
        config: Config, url: GitURL, environment: Environment = .process
    ) throws(ClientError) {
        self.init()
        do throws(StoreError) {
            let settings = URLSettings("credential", config, for: url, partial: true)
            helpers = settings.list("helper", all: true)
            username = settings.string("username")
            usesPath = try settings.bool("usehttppath") ?? false
            let configured = try config.path("core.askpass")
            askProgram = environment["GIT_ASKPASS"] ?? configured ?? environment["SSH_ASKPASS"]
            asksOnTerminal = try environment.bool("GIT_TERMINAL_PROMPT") ?? true
        } catch {
            throw ClientError(.invalid, error.message, cause: error)
        }
    }
}
