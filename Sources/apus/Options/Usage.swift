/// What `-h` prints, and what follows a usage error.
func usageText<Target: Command>(of command: Target.Type) -> String {
    var text = ""
    for (index, line) in Target.usage.enumerated() {
        text += (index == 0 ? "usage: apus " : "   or: apus ") + line + "\n"
    }
    text += "\n"
    for option in Target.options { text += row(option.spelling.text, option.help) }
    return Target.options.isEmpty ? text : text + "\n"
}

/// One line of the help: the name on the left, what it does from column 26 on.
func row(_ name: String, _ help: String) -> String {
    let left = "    " + name
    let column = 26
    if left.count > column - 2 {
        return left + "\n" + String(repeating: " ", count: column) + help + "\n"
    }
    return left + String(repeating: " ", count: column - left.count) + help + "\n"
}
