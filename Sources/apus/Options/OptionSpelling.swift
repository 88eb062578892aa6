// How a table spells an option is how the help prints it:
//
//     -q, --quiet            two names
//     --[no-]progress        --no-progress too
//     --no-checkout          --checkout undoes it
//     -b, --branch <name>    an argument; getopt takes -bX, -b X, --branch=X and --branch X
//     --batch[=<format>]     an argument that may be left out; only --batch=X gives one

/// The names of an option, and whether it takes an argument.
struct OptionSpelling: Sendable {
    enum Argument: Sendable { case none, required, optional }

    /// As written in the table.
    let text: String
    let shorts: [UInt8]
    /// Without the dashes and without `[no-]`.
    let longs: [String]
    let argument: Argument
    /// Whether `--no-<long>` turns it off.
    let isNegatable: Bool

    init(_ text: String) {
        self.text = text
        isNegatable = text.contains("[no-]")
        var names = text.replacing("[no-]", with: "")
        if let start = names.firstIndex(where: { $0 == "<" || $0 == "[" || $0 == "(" }) {
            argument = names[start] == "[" ? .optional : .required
            names = String(names[..<start])
        } else {
            argument = .none
        }
        let all = names.split(whereSeparator: { $0 == "," || $0 == " " })
        longs = all.filter { $0.hasPrefix("--") }.map { String($0.dropFirst(2)) }
        shorts = all.filter { !$0.hasPrefix("--") }.compactMap { $0.utf8.last }
    }

    /// How a message names it: "option `branch'", "switch `b'".
    var described: String {
        if let long = longs.first { return "option `\(long)'" }
        return "switch `\(shorts.map { String(UnicodeScalar($0)) }.first ?? "")'"
    }

    /// The long names that getopt is to know, and whether each turns the option off.
    var longForms: [(name: String, isOff: Bool)] {
        longs.flatMap { name -> [(name: String, isOff: Bool)] in
            if name.hasPrefix("no-") { return [(name, false), (String(name.dropFirst(3)), true)] }
            return isNegatable ? [(name, false), ("no-" + name, true)] : [(name, false)]
        }
    }
}
