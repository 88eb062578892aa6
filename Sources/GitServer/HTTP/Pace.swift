/// How fast a peer takes or gives.
struct Pace {
    var moved = 0
    private var since = ContinuousClock.now

    init() {}

    /// Called about once a second while the peer's turn lasts.
    mutating func isTooSlow(_ options: HTTPServerOptions) -> Bool {
        let time = ContinuousClock.now - since
        guard time >= options.paceWindow else { return false }
        defer { self = Pace() }
        let seconds = Int(time.components.seconds)
        return moved < options.minimumPace * max(1, seconds)
    }
}
