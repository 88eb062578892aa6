// A line of progress, as Git writes it:
//
//     Receiving objects:  42% (1234/2931), 1.20 MiB | 2.40 MiB/s
//     Enumerating objects: 1234, done.

/// What a line of progress says.
struct ProgressCounts: Hashable, Sendable {
    var done: UInt64
    /// nil or 0 where it is not known.
    var total: UInt64?
    /// Bytes that came over the network, where that is of interest.
    var bytes: UInt64?

    init(done: UInt64 = 0, total: UInt64? = nil, bytes: UInt64? = nil) {
        self.done = done
        self.total = total
        self.bytes = bytes
    }

    /// The part of the line behind the title.
    ///
    /// - Parameter rate: bytes a second, shown where ``bytes`` is.
    func text(rate: UInt64) -> String {
        var text = "\(done)"
        if let total, total > 0 {
            text = "\(padded(percent(of: total)))% (\(done)/\(total))"
        }
        guard let bytes else { return text }
        return text + ", \(humanBytes(bytes)) | \(humanBytes(rate))/s"
    }

    private func percent(of total: UInt64) -> UInt64 {
        let (high, low) = done.multipliedFullWidth(by: 100)
        return high < total ? total.dividingFullWidth((high, low)).quotient : 100
    }

    private func padded(_ percent: UInt64) -> String {
        let digits = "\(percent)"
        return String(repeating: " ", count: max(0, 3 - digits.count)) + digits
    }
}

/// `1.20 MiB`: two decimals, powers of 1,024.
func humanBytes(_ bytes: UInt64) -> String {
    let units: [(shift: UInt64, name: String)] = [(30, "GiB"), (20, "MiB"), (10, "KiB")]
    for (shift, name) in units where bytes > 1 << shift {
        let unit: UInt64 = 1 << shift
        let rounded = bytes &+ unit / 200
        let hundredths = rounded % unit * 100 / unit
        return "\(rounded / unit).\(hundredths < 10 ? "0" : "")\(hundredths) \(name)"
    }
    return bytes == 1 ? "1 byte" : "\(bytes) bytes"
}

/// How fast bytes have come lately: over the last few seconds, so that it neither jumps nor lags.
struct TransferRate {
    private let start: ContinuousClock.Instant
    private var samples: [(time: ContinuousClock.Instant, bytes: UInt64)]
    private static let sampleInterval = Duration.milliseconds(500)
    private static let sampleCount = 8

    init(at now: ContinuousClock.Instant) {
        start = now
        samples = [(now, 0)]
    }

    /// Bytes a second, `bytes` having come in all.
    mutating func update(_ bytes: UInt64, at now: ContinuousClock.Instant) -> UInt64 {
        let rate = Self.rate(bytes &- min(bytes, samples[0].bytes), in: now - samples[0].time)
        if let last = samples.last, now - last.time >= Self.sampleInterval {
            samples.append((now, bytes))
            if samples.count > Self.sampleCount { samples.removeFirst() }
        }
        return rate
    }

    /// Over the whole time.
    func average(_ bytes: UInt64, at now: ContinuousClock.Instant) -> UInt64 {
        Self.rate(bytes, in: now - start)
    }

    private static func rate(_ bytes: UInt64, in duration: Duration) -> UInt64 {
        let seconds = max(duration / .seconds(1), 0.001)
        return UInt64(min(Double(bytes) / seconds, 1e18))
    }
}
