import GitCore

/// The attributes of a path that decide how its content is converted; nil: nothing is said.
struct PathAttributes: Hashable, Sendable {
    static let names: [ByteString] = [
        "text", "crlf", "eol", "ident", "filter", "working-tree-encoding",
    ]

    var text: AttributeValue?
    var crlf: AttributeValue?
    var eol: AttributeValue?
    var ident: AttributeValue?
    var filter: AttributeValue?
    var workingTreeEncoding: AttributeValue?
}

/// Finds the attributes of one path after the other; quick for paths of one directory in a row.
struct AttributeResolver {
    private let sources: AttributeSources
    private var values: [AttributeValue?]
    /// How many of ``PathAttributes`` are still to be found.
    private var missing = 0

    /// The directory that `frames` are for.
    private var directory: ByteString?
    /// The rules that may hold in it, the strongest first; each with where the path relative to its
    /// file begins.
    private var frames: [(rules: [AttributeSources.Rule], start: Int)] = []

    init(_ sources: AttributeSources) {
        self.sources = sources
        values = Array(repeating: nil, count: sources.attributeCount)
    }

    mutating func attributes(of path: ByteString) -> PathAttributes {
        let nameStart = (path.bytes.lastIndex(of: 0x2f) ?? -1) + 1
        enterDirectory(of: path, nameStart: nameStart)
        if frames.isEmpty { return PathAttributes() }
        for index in values.indices { values[index] = nil }
        missing = PathAttributes.names.count
        let bytes = path.bytes.span
        let name = bytes.extracting(nameStart ..< bytes.count)
        for frame in frames {
            let relative = bytes.extracting(frame.start ..< bytes.count)
            for rule in frame.rules.reversed()
            where rule.pattern.matches(path: relative, name: name) {
                apply(rule.settings)
                if missing == 0 { return found() }
            }
        }
        return found()
    }

    private func found() -> PathAttributes {
        PathAttributes(
            text: values[0], crlf: values[1], eol: values[2], ident: values[3], filter: values[4],
            workingTreeEncoding: values[5])
    }

    /// Sets what no stronger line has set; a macro that becomes set sets what it stands for at once.
    private mutating func apply(_ settings: [AttributeSources.Setting]) {
        var pending = settings[...]
        var outer: [ArraySlice<AttributeSources.Setting>] = []
        while true {
            guard let setting = pending.popLast() else {
                guard let next = outer.popLast() else { return }
                pending = next
                continue
            }
            guard values[setting.attribute] == nil else { continue }
            values[setting.attribute] = setting.value
            if setting.attribute < PathAttributes.names.count { missing -= 1 }
            if setting.value == .set, let macro = sources.macro(setting.attribute) {
                outer.append(pending)
                pending = macro[...]
            }
        }
    }

    private mutating func enterDirectory(of path: ByteString, nameStart: Int) {
        let length = max(0, nameStart - 1)
        if let directory, directory.count == length, path.hasPrefix(directory) { return }
        directory = ByteString(path.bytes[..<length])
        frames = []
        /// Keeps those of a file's rules that may hold here; most name other directories.
        func add(_ rules: [AttributeSources.Rule]?, start: Int) {
            guard let rules else { return }
            let inner = path.bytes.span.extracting(start ..< nameStart)
            var frame: [AttributeSources.Rule] = []
            for rule in rules where rule.pattern.mayMatch(in: inner) { frame.append(rule) }
            if !frame.isEmpty { frames.append((frame, start)) }
        }
        add(sources.information, start: 0)
        if !sources.directories.isEmpty {
            var end = length
            while end > 0 {
                add(sources.directories[ByteString(path.bytes[..<end])], start: end + 1)
                end = path.bytes[..<end].lastIndex(of: 0x2f) ?? 0
            }
            add(sources.directories[""], start: 0)
        }
        for rules in sources.general { add(rules, start: 0) }
    }
}
