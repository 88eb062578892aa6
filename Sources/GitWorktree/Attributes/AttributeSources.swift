import GitCore

/// What the attributes files say that have a say in how a file is written, ready to be asked.
///
/// Only the attributes that matter here are kept (``PathAttributes``), and the macros that stand for
/// them.
struct AttributeSources: Sendable {
    /// A line for the paths that match a pattern.
    struct Rule: Sendable {
        let pattern: AttributePattern
        let settings: [Setting]
    }

    /// An attribute, by its number in ``names``, and its value.
    typealias Setting = (attribute: Int, value: AttributeValue)

    /// Numbers of the attributes that matter; those of ``PathAttributes`` come first.
    private let numbers: [ByteString: Int]
    /// What each of them stands for, if it is a macro.
    private let macros: [[Setting]?]
    /// info/attributes: above all others.
    let information: [Rule]
    /// By directory, empty for the top.
    private(set) var directories: [ByteString: [Rule]] = [:]
    /// The user's file and the system's, this last.
    let general: [[Rule]]
    private var ruleCount = 0

    /// - Parameters:
    ///   - top: of the work tree's uppermost directory.
    ///   - general: the user's, then the system's.
    init(
        information: AttributesFile?, top: AttributesFile?, general: [AttributesFile]
    ) throws(WorktreeError) {
        let files = [information, top].compactMap(\.self) + general
        let definitions = Self.macroDefinitions(files)
        let numbers = Self.numbers(relevantIn: definitions)
        var macros = [[Setting]?](repeating: nil, count: numbers.count)
        for (name, number) in numbers {
            macros[number] = definitions[name].map { Self.settings($0, numbers) }
        }
        self.numbers = numbers
        self.macros = macros
        self.information = information.map { Self.rules($0, numbers) } ?? []
        self.general = general.map { Self.rules($0, numbers) }
        ruleCount = self.general.reduce(self.information.count) { $0 + $1.count }
        if let top { try add(top, of: "") }
    }

    /// Takes in the attributes file of `directory`.
    mutating func add(_ file: AttributesFile, of directory: ByteString) throws(WorktreeError) {
        let rules = Self.rules(file, numbers)
        ruleCount += rules.count
        guard ruleCount <= WorktreeLimits.attributeRules else { throw .tooManyAttributes }
        directories[directory] = rules
    }

    var attributeCount: Int { macros.count }
    func macro(_ attribute: Int) -> [Setting]? { macros[attribute] }

    /// Each macro's meaning. Where there are several, the file named first holds, and in it the last.
    private static func macroDefinitions(
        _ files: [AttributesFile]
    ) -> [ByteString: [(name: ByteString, value: AttributeValue)]] {
        var definitions: [ByteString: [(name: ByteString, value: AttributeValue)]] = [
            "binary": [("diff", .unset), ("merge", .unset), ("text", .unset)]
        ]
        for file in files.reversed() {
            for line in file.lines {
                if case .macro(let name) = line.subject { definitions[name] = line.settings }
            }
        }
        return definitions
    }

    /// Numbers for the attributes that matter and for the macros that may stand for one of them.
    private static func numbers(
        relevantIn definitions: [ByteString: [(name: ByteString, value: AttributeValue)]]
    ) -> [ByteString: Int] {
        var macrosOf: [ByteString: [ByteString]] = [:]
        for (macro, settings) in definitions {
            for setting in settings { macrosOf[setting.name, default: []].append(macro) }
        }
        var numbers: [ByteString: Int] = [:]
        var found = PathAttributes.names
        var next = 0
        while next < found.count {
            let name = found[next]
            next += 1
            guard numbers[name] == nil else { continue }
            numbers[name] = numbers.count
            found += macrosOf[name] ?? []
        }
        return numbers
    }

    private static func settings(
        _ settings: [(name: ByteString, value: AttributeValue)], _ numbers: [ByteString: Int]
    ) -> [Setting] {
        settings.compactMap { setting in
            numbers[setting.name].map { (attribute: $0, value: setting.value) }
        }
    }

    private static func rules(
        _ file: AttributesFile, _ numbers: [ByteString: Int]
    ) -> [Rule] {
        file.lines.compactMap { line in
            guard case .pattern(let pattern) = line.subject else { return nil }
            let settings = settings(line.settings, numbers)
            return settings.isEmpty ? nil : Rule(pattern: pattern, settings: settings)
        }
    }
}
