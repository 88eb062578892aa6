import TestSupport
import Testing

/// What every failure of `apus` has in common: exit code 128, one line that begins with `fatal: `,
/// nothing on standard output, and no control characters from a peer on standard error.
func expectFailure(_ result: RunResult, location: SourceLocation = #_sourceLocation) {
    #expect(result.exit == .code(128), "\(result.err)", sourceLocation: location)
    #expect(result.stdout == [], sourceLocation: location)
    let fatal = result.errorLines.filter { $0.hasPrefix("fatal: ") }
    if Apus.isGit {
        #expect(!fatal.isEmpty, "\(result.err)", sourceLocation: location)
    } else {
        #expect(fatal.count == 1, "\(result.err)", sourceLocation: location)
        #expect(
            result.errorLines.allSatisfy { line in
                ["fatal: ", "error: ", "warning: ", "hint: ", "remote: ", "Cloning into "]
                    .contains { line.hasPrefix($0) }
            }, "\(result.err)", sourceLocation: location)
        expectNoControlCharacters(result, location: location)
    }
}

/// Nothing on standard error that a terminal would obey, but for line ends and tabs.
func expectNoControlCharacters(_ result: RunResult, location: SourceLocation = #_sourceLocation) {
    let allowed: Set<UInt8> = [0x09, 0x0a, 0x0d]
    #expect(
        !result.stderr.contains { ($0 < 0x20 && !allowed.contains($0)) || $0 == 0x7f },
        "\(printable(result.stderr))", sourceLocation: location)
    #expect(
        !result.err.unicodeScalars.contains { (0x80 ..< 0xa0).contains($0.value) },
        "\(printable(result.stderr))", sourceLocation: location)
}
