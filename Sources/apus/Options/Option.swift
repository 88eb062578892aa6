import GitCore

/// What an option on the command line says.
enum OptionSetting {
    case on
    /// Its `--no-` form.
    case off
    case value(ByteString)
}

/// One row of a command's table: from the table are made what getopt_long reads and what `-h` prints.
struct Option<Command>: Sendable {
    let spelling: OptionSpelling
    /// One sentence for the help, without a full stop.
    let help: String
    let apply: @Sendable (inout Command, OptionSetting, inout FollowingArguments) throws -> Void

    typealias Property<Value> = any WritableKeyPath<Command, Value> & Sendable

    /// An option with an action of its own.
    ///
    /// - Parameter spelling: as the help shows it, see ``OptionSpelling``.
    static func action(
        _ spelling: String, _ help: String,
        _ apply: @escaping @Sendable (inout Command, OptionSetting) throws -> Void
    ) -> Option {
        Option(spelling: OptionSpelling(spelling), help: help) { command, setting, _ in
            try apply(&command, setting)
        }
    }

    /// An option that may take more than one of the arguments that follow it.
    static func consuming(
        _ spelling: String, _ help: String,
        _ apply:
            @escaping @Sendable (
                inout Command, OptionSetting, inout FollowingArguments
            ) throws -> Void
    ) -> Option {
        Option(spelling: OptionSpelling(spelling), help: help, apply: apply)
    }

    /// An option that is there or not.
    static func flag(
        _ spelling: String, _ path: Property<Bool>, _ help: String
    ) -> Option {
        action(spelling, help) { command, setting in
            if case .off = setting {
                command[keyPath: path] = false
            } else {
                command[keyPath: path] = true
            }
        }
    }

    /// An option whose absence, presence and `--no-` form differ: nil, true, false.
    static func toggle(
        _ spelling: String, _ path: Property<Bool?>, _ help: String
    ) -> Option {
        action(spelling, help) { command, setting in
            if case .off = setting {
                command[keyPath: path] = false
            } else {
                command[keyPath: path] = true
            }
        }
    }

    /// One of several options that choose among the values of one property.
    static func choice<Value: Sendable>(
        _ spelling: String, _ path: Property<Value>, _ value: Value,
        _ help: String
    ) -> Option {
        action(spelling, help) { command, _ in command[keyPath: path] = value }
    }

    /// An option with an argument; the last one counts.
    static func value(
        _ spelling: String, _ path: Property<ByteString?>,
        _ help: String
    ) -> Option {
        action(spelling, help) { command, setting in
            if case .value(let text) = setting {
                command[keyPath: path] = text
            } else {
                command[keyPath: path] = nil
            }
        }
    }

    /// An option with an argument that may be given many times.
    static func values(
        _ spelling: String, _ path: Property<[ByteString]>,
        _ help: String
    ) -> Option {
        action(spelling, help) { command, setting in
            if case .value(let text) = setting {
                command[keyPath: path].append(text)
            } else {
                command[keyPath: path] = []
            }
        }
    }

    /// An option whose argument is a number in decimal, which may end in k, m or g.
    static func number(
        _ spelling: String, _ path: Property<Int?>, _ help: String
    ) -> Option {
        let name = OptionSpelling(spelling).described
        return action(spelling, help) { command, setting in
            guard case .value(let text) = setting else {
                command[keyPath: path] = nil
                return
            }
            guard let number = parseNumber(text) else {
                throw UsageError(
                    "\(name) expects an integer value with an optional k/m/g suffix",
                    showsUsage: false)
            }
            command[keyPath: path] = number
        }
    }
}

/// The arguments that stand after an option, for one that takes several.
struct FollowingArguments {
    private(set) var rest: ArraySlice<ByteString>

    init(_ rest: ArraySlice<ByteString>) { self.rest = rest }

    mutating func next() -> ByteString? { rest.popFirst() }
}

/// A number as Git writes one in options and configuration: decimal, with k, m or g for powers of
/// 1,024. nil for anything else.
func parseNumber(_ text: ByteString) -> Int? {
    var digits = String(decoding: text.bytes, as: UTF8.self)
    let units: [Character: Int] = ["k": 1 << 10, "m": 1 << 20, "g": 1 << 30]
    var unit = 1
    if let last = digits.last, let factor = units[Character(last.lowercased())] {
        unit = factor
        digits.removeLast()
    }
    guard let number = Int(digits) else { return nil }
    let (product, overflow) = number.multipliedReportingOverflow(by: unit)
    return overflow ? nil : product
}
