import GitCore

/// Draws progress on standard error: one line a phase, redrawn in place.
///
/// Time is given by the caller, so that a test can give its own.
struct ProgressDisplay {
    typealias Instant = ContinuousClock.Instant

    /// How often a line is redrawn at most.
    static let redrawInterval = Duration.milliseconds(100)
    /// How long a phase that is mostly short goes unmentioned.
    static let delay = Duration.seconds(2)

    private struct Phase {
        let title: String
        var counts: ProgressCounts
        let visibleFrom: Instant
        var rate: TransferRate
        var lastDraw: Instant?
        /// Columns of the counts last drawn, which the next ones must cover.
        var drawnWidth = 0
        /// The terminal is too narrow: the title stands on a line of its own.
        var isSplit = false
    }

    private var phase: Phase?
    private var remote: RemoteLines
    private let terminal: Terminal
    private let write: (String) -> Void

    /// - Parameter write: takes what goes to the terminal.
    init(terminal: Terminal, write: @escaping (String) -> Void) {
        self.terminal = terminal
        self.write = write
        remote = RemoteLines(isTerminal: terminal.isTerminal)
    }

    /// Begins a phase; the one before it is done.
    mutating func begin(_ title: String, at now: Instant, delay: Duration = .zero) {
        finish(at: now)
        phase = Phase(
            title: title, counts: ProgressCounts(), visibleFrom: now + delay,
            rate: TransferRate(at: now))
    }

    /// Says how far the phase is; drawn if the last time is long enough ago.
    mutating func update(_ counts: ProgressCounts, at now: Instant) {
        guard var current = phase else { return }
        current.counts = counts
        let rate = counts.bytes.map { current.rate.update($0, at: now) } ?? 0
        let isDue = current.lastDraw.map { now - $0 >= Self.redrawInterval } ?? true
        if isDue, now >= current.visibleFrom, terminal.isForeground() {
            draw(&current, rate: rate, end: "\r")
            current.lastDraw = now
        }
        phase = current
    }

    /// Ends the phase, if it was seen, with its last counts and `done`.
    mutating func finish(at now: Instant) {
        guard var current = phase else { return }
        phase = nil
        guard current.lastDraw != nil else { return }
        let rate = current.counts.bytes.map { current.rate.average($0, at: now) } ?? 0
        draw(&current, rate: rate, end: ", done.\n")
    }

    /// Ends the phase without saying that it is done: an error follows.
    mutating func abandon() {
        if phase?.lastDraw != nil { write("\n") }
        phase = nil
    }

    /// Shows what the server says.
    mutating func showRemote(_ text: [UInt8]) {
        let lines = remote.feed(text)
        if !lines.isEmpty { write(lines) }
    }

    /// Shows the beginning of a line that the server never ended.
    mutating func finishRemote() {
        let rest = remote.finish()
        if !rest.isEmpty { write(rest) }
    }

    private func draw(_ phase: inout Phase, rate: UInt64, end: String) {
        let counts = phase.counts.text(rate: rate)
        let padding = String(repeating: " ", count: max(0, phase.drawnWidth - counts.utf8.count))
        let width = phase.title.utf8.count + 2 + counts.utf8.count
        phase.drawnWidth = counts.utf8.count
        if phase.isSplit {
            write("  " + counts + (end == "\r" ? padding + end : end))
        } else if end == "\r", terminal.columns() < width {
            phase.isSplit = true
            let blank = max(0, terminal.columns() - phase.title.utf8.count - 1)
            write(phase.title + ":" + String(repeating: " ", count: blank) + "\n  " + counts + end)
        } else {
            write(phase.title + ": " + counts + (end == "\r" ? padding + end : end))
        }
    }
}
