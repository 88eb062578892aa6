/// What a server counts, in Prometheus's text format: families of lines, each with what they mean.
package struct MetricsPage {
    private(set) var text = ""

    package enum Kind: String { case counter, gauge, histogram }

    /// - Parameter lines: each what comes after the name: labels, a space, and the value.
    package mutating func add(_ name: String, _ kind: Kind, _ help: String, _ lines: [String]) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
        for line in lines { text += name + line + "\n" }
    }

    package mutating func add(_ name: String, _ kind: Kind, _ help: String, _ value: some Numeric) {
        add(name, kind, help, [" \(value)"])
    }
}

/// Durations, counted by how long they are.
package struct DurationCounts: Sendable {
    /// Upper bounds of those that are counted together, in seconds.
    private static let bounds = [0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, 300]

    private var buckets = [Int](repeating: 0, count: Self.bounds.count)
    private var seconds = 0.0
    private var count = 0

    package init() {}

    package mutating func add(_ duration: Duration) {
        let seconds = duration.inSeconds
        for (index, bound) in Self.bounds.enumerated() where seconds <= bound {
            buckets[index] += 1
        }
        self.seconds += seconds
        count += 1
    }

    /// The lines of a histogram.
    ///
    /// - Parameter label: `name="value"`, or nothing.
    package func lines(_ label: String = "") -> [String] {
        let more = label.isEmpty ? "" : label + ","
        let own = label.isEmpty ? "" : "{\(label)}"
        return zip(Self.bounds, buckets).map { "_bucket{\(more)le=\"\($0)\"} \($1)" } + [
            "_bucket{\(more)le=\"+Inf\"} \(count)", "_sum\(own) \(seconds)",
            "_count\(own) \(count)",
        ]
    }
}

extension Duration {
    package var inSeconds: Double {
        Double(components.seconds) + Double(components.attoseconds) / 1e18
    }
}
