import GitCore
import GitStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// What is wrong with a value, in words that fit after the key.
struct SettingFault: Error {
    let reason: String

    init(_ reason: String) { self.reason = reason }
}

/// The text of a variable, as the kinds of values that settings have (git-config, "Values").
struct SettingValue {
    /// nil for a variable without `=`, which says yes and nothing else.
    let text: ByteString?

    /// Bytes of a value that a message repeats.
    private static let longestShown = 200

    /// For messages. A URL may hold a password: what stands before an `@` is left out.
    private var shown: String {
        guard let text else { return "there is no value" }
        let tail =
            text.bytes.split(
                separator: UInt8(ascii: "@"), omittingEmptySubsequences: false
            ).last ?? []
        let secret = tail.count < text.count ? "...@" : ""
        return "'\(secret)\(ByteString(tail.prefix(Self.longestShown)).printable)'"
    }

    func fault(_ expected: String) -> SettingFault {
        text == nil
            ? SettingFault("there is no value; expected \(expected)")
            : SettingFault("\(shown) is not \(expected)")
    }

    func bool() throws(SettingFault) -> Bool {
        guard let text else { return true }
        guard let value = ConfigValue.bool(text) else { throw fault("true or false") }
        return value
    }

    /// With a unit `k`, `m` or `g`.
    func number(_ range: ClosedRange<Int>) throws(SettingFault) -> Int {
        guard let text, let value = ConfigValue.int(text), range.contains(value) else {
            throw fault("a number between \(range.lowerBound) and \(range.upperBound)")
        }
        return value
    }

    func seconds(_ range: ClosedRange<Int>) throws(SettingFault) -> Duration {
        guard let text, let value = ConfigValue.int(text), range.contains(value) else {
            throw fault("a number of seconds between \(range.lowerBound) and \(range.upperBound)")
        }
        return .seconds(value)
    }

    /// Bytes: 1 MiB or more.
    func size() throws(SettingFault) -> UInt64 {
        guard let text, let value = ConfigValue.int(text), (1 << 20 ... 1 << 60).contains(value)
        else { throw fault("a number of bytes, 1m or more, such as 512m or 20g") }
        return UInt64(value)
    }

    /// Text without control characters, perhaps empty.
    func line() throws(SettingFault) -> ByteString {
        guard let text, !text.bytes.contains(where: \.isControl) else {
            throw fault("a text without control characters")
        }
        return text
    }

    /// A path, not empty. `~` is no home here: whose would it be?
    func path() throws(SettingFault) -> ByteString {
        guard let text, !text.isEmpty, !text.hasPrefix("~"), !text.bytes.contains(0) else {
            throw fault("a path")
        }
        return text
    }

    /// The path of something that can be read.
    func readable() throws(SettingFault) -> ByteString {
        let path = try path()
        guard path.withCString({ access($0, R_OK) }) == 0 else {
            throw SettingFault("cannot read '\(path)': \(String(cString: strerror(errno)))")
        }
        return path
    }
}
