import GitCore
import GitStore

/// What a cache has and does.
struct CacheStatus {
    struct MirrorStatus {
        let name: ByteString
        let objects: Int
        let packs: Int
        let bytes: UInt64
        /// Milliseconds since 1970.
        let lastUse: UInt64
        let isFetching: Bool
    }

    /// What only a cache that runs knows.
    struct Running {
        let seconds: Int
        let upstreams: [(name: ByteString, url: String)]
        let mirrorBudget: UInt64
        let answerBudget: UInt64
        /// Look-ups of answers that found one kept, found one being made, and found none.
        let hits: UInt64
        let shared: UInt64
        let made: UInt64
        /// Bytes of answers' bodies.
        let sent: UInt64
    }

    let running: Running?
    let answers: (count: Int, bytes: UInt64)
    let mirrors: [MirrorStatus]

    private var mirrorBytes: UInt64 { mirrors.reduce(0) { $0 &+ $1.bytes } }

    /// Lines of text, or lines that together are one JSON document.
    func lines(asJSON: Bool) -> [String] { asJSON ? json : text }

    // MARK: For a person

    private var text: [String] {
        var lines: [String] = []
        if let running {
            lines.append("running for \(Self.duration(running.seconds))")
            for host in running.upstreams { lines.append("upstream \(host.name) at \(host.url)") }
            lines.append(
                "answers: \(running.hits) sent again, \(running.shared) shared, \(running.made) made;"
                    + " \(Self.size(running.sent)) sent to clients")
        } else {
            lines.append("no cache runs on this store: from the disk")
        }
        lines.append(
            "kept: \(answers.count) answers, \(Self.size(answers.bytes))"
                + (running.map { " of \(Self.size($0.answerBudget))" } ?? "") + "; "
                + "\(mirrors.count) mirrors, \(Self.size(mirrorBytes))"
                + (running.map { " of \(Self.size($0.mirrorBudget))" } ?? ""))
        for mirror in mirrors {
            lines.append(
                "mirror \(mirror.name): \(mirror.objects) objects in \(mirror.packs) packs,"
                    + " \(Self.size(mirror.bytes)), used \(iso8601(mirror.lastUse))"
                    + (mirror.isFetching ? ", being fetched" : ""))
        }
        return lines
    }

    private static func duration(_ seconds: Int) -> String {
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60)
        if days > 0 { return "\(days) d \(hours) h" }
        if hours > 0 { return "\(hours) h \(minutes) min" }
        return minutes > 0 ? "\(minutes) min \(seconds % 60) s" : "\(seconds) s"
    }

    /// `17.3 MiB`, cut off after the point.
    private static func size(_ bytes: UInt64) -> String {
        var unit = 0
        var scale: UInt64 = 1
        while unit < 5, bytes / scale >= 1_024 {
            unit += 1
            scale <<= 10
        }
        if unit == 0 { return "\(bytes) B" }
        let tenths = bytes % scale / (scale / 10 + 1)
        return "\(bytes / scale).\(tenths) \(["KiB", "MiB", "GiB", "TiB", "PiB"][unit - 1])"
    }

    // MARK: For a program

    private var json: [String] {
        var lines = ["{"]
        lines.append("\"running\":\(running != nil),")
        if let running {
            lines.append("\"uptime_seconds\":\(running.seconds),")
            let upstreams = running.upstreams.map {
                "{\"name\":\(Self.quoted($0.name)),\"url\":\(Self.quoted(ByteString($0.url)))}"
            }
            lines.append("\"upstreams\":[\(upstreams.joined(separator: ","))],")
            lines.append(
                "\"requests\":{\"hit\":\(running.hits),\"shared\":\(running.shared),"
                    + "\"made\":\(running.made)},")
            lines.append("\"sent_bytes\":\(running.sent),")
            lines.append("\"answer_budget_bytes\":\(running.answerBudget),")
            lines.append("\"mirror_budget_bytes\":\(running.mirrorBudget),")
        }
        lines.append("\"answers\":\(answers.count),")
        lines.append("\"answer_bytes\":\(answers.bytes),")
        lines.append("\"mirror_bytes\":\(mirrorBytes),")
        lines.append("\"mirrors\":[")
        for (number, mirror) in mirrors.enumerated() {
            lines.append(
                "{\"name\":\(Self.quoted(mirror.name)),\"objects\":\(mirror.objects),"
                    + "\"packs\":\(mirror.packs),\"bytes\":\(mirror.bytes),"
                    + "\"last_used\":\"\(iso8601(mirror.lastUse))\","
                    + "\"fetching\":\(mirror.isFetching)}"
                    + (number + 1 < mirrors.count ? "," : ""))
        }
        return lines + ["]}"]
    }

    private static func quoted(_ text: ByteString) -> String {
        var quoted = "\""
        for scalar in text.printable.unicodeScalars {
            if scalar == "\"" || scalar == "\\" { quoted += "\\" }
            quoted.unicodeScalars.append(scalar)
        }
        return quoted + "\""
    }
}
