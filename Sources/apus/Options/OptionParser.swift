import CGetopt
import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// The command line asks for what the command does not have.
struct UsageError: Error {
    /// nil where the usage alone says enough.
    let message: String?
    /// False where the message alone says enough.
    let showsUsage: Bool

    init(_ message: String?, showsUsage: Bool = true) {
        self.message = message
        self.showsUsage = showsUsage
    }
}

/// `-h` was given.
struct HelpRequest: Error {}

/// Reads a command's arguments with getopt_long, by its table.
struct OptionParser<Target: Command> {
    private let rows = Target.options
    private let longs: [(name: String, row: Int, isOff: Bool)]
    /// getopt's `val` of a long option is this much above its place in ``longs``.
    private static var longBase: Int32 { 0x100 }

    init() {
        longs = rows.enumerated().flatMap { row, option in
            option.spelling.longForms.map { (name: $0.name, row: row, isOff: $0.isOff) }
        }
    }

    /// The command as `arguments` (without its name) describe it.
    func parse(_ arguments: [ByteString]) throws -> Target {
        // Also where the command has a -h of its own, as ls-remote has.
        if arguments == ["-h"] { throw HelpRequest() }
        var target = Target()
        let operandsAfter = try CVector([ByteString(Target.name)] + arguments).withPointer {
            count, vector in
            try withLongOptions { longs in
                try read(&target, arguments, count, vector, longs)
            }
        }
        for operand in arguments[operandsAfter...] { try target.take(operand) }
        return target
    }

    /// Reads options and the operands among them; the operands from the returned index on are left.
    private func read(
        _ target: inout Target, _ arguments: [ByteString], _ count: Int32,
        _ vector: UnsafePointer<UnsafeMutablePointer<CChar>?>, _ longs: UnsafePointer<option>
    ) throws -> Int {
        apus_getopt_reset()
        let shorts = shortOptions
        while true {
            let found = apus_getopt_next(count, vector, shorts, longs)
            // argv[0] is the command's name.
            let next = Int(apus_getopt_position()) - 1
            switch found {
            case -1: return min(next, arguments.count)
            case 1:
                if Target.stopsAtOperand { return next - 1 }
                try target.take(arguments[next - 1])
            case Int32(UInt8(ascii: "?")), Int32(UInt8(ascii: ":")):
                throw fault(found, in: next > 0 ? arguments[next - 1] : "")
            default:
                var following = FollowingArguments(arguments[next...])
                let (row, setting) = try meaning(of: found)
                try rows[row].apply(&target, setting, &following)
                apus_getopt_set_position(Int32(arguments.count - following.rest.count + 1))
            }
        }
    }

    private func meaning(of found: Int32) throws -> (row: Int, setting: OptionSetting) {
        let value = apus_getopt_value().map { text in
            ByteString(UnsafeRawBufferPointer(start: text, count: strlen(text)))
        }
        if found >= Self.longBase {
            let long = longs[Int(found - Self.longBase)]
            return (long.row, long.isOff ? .off : value.map { .value($0) } ?? .on)
        }
        if let row = rows.firstIndex(where: { $0.spelling.shorts.contains { $0 == found } }) {
            return (row, value.map { .value($0) } ?? .on)
        }
        // The only letter that getopt knows beside the table's.
        throw HelpRequest()
    }

    /// What getopt found wrong, in Git's words.
    private func fault(_ found: Int32, in argument: ByteString) -> any Error {
        let offender = apus_getopt_offender()
        let isMissingArgument = found == UInt8(ascii: ":")
        if offender >= Self.longBase {
            let name = longs[Int(offender - Self.longBase)].name
            return UsageError(
                isMissingArgument
                    ? "option `\(name)' requires a value" : "option `\(name)' takes no value",
                showsUsage: false)
        }
        if offender > 0, let letter = UInt8(exactly: offender) {
            let switchName = "switch `\(ByteString([letter]))'"
            return UsageError(
                isMissingArgument ? "\(switchName) requires a value" : "unknown \(switchName)",
                showsUsage: !isMissingArgument)
        }
        let name = ByteString(argument.dropFirst(2).bytes.prefix { $0 != UInt8(ascii: "=") })
        // `--h` would otherwise abbreviate whatever begins so.
        if name == "help" { return HelpRequest() }
        let candidates = longs.filter { $0.name.utf8.starts(with: name.bytes) }
        guard candidates.count > 1 else { return UsageError("unknown option `\(name)'") }
        return UsageError(
            "ambiguous option: \(name) (could be --\(candidates[0].name) or --\(candidates[1].name))"
        )
    }

    /// `-`: operands come in their order; `:`: a missing argument is told apart.
    private var shortOptions: String {
        var text = Target.stopsAtOperand ? "+:" : "-:"
        for option in rows {
            for letter in option.spelling.shorts {
                text.unicodeScalars.append(UnicodeScalar(letter))
                switch option.spelling.argument {
                case .none: break
                case .required: text += ":"
                case .optional: text += "::"
                }
            }
        }
        return rows.contains { $0.spelling.shorts.contains(UInt8(ascii: "h")) } ? text : text + "h"
    }

    private func withLongOptions<Result>(
        _ body: (UnsafePointer<option>) throws -> Result
    ) throws -> Result {
        try CVector(longs.map { ByteString($0.name) }).withPointer { _, names in
            var table = longs.enumerated().map { index, long in
                option(
                    name: names[index], has_arg: argumentCode(long), flag: nil,
                    val: Self.longBase + Int32(index))
            }
            table.append(option())
            return try table.withUnsafeBufferPointer { buffer in
                // SAFETY: the table has at least its end mark.
                try body(buffer.baseAddress.unsafelyUnwrapped)
            }
        }
    }

    private func argumentCode(_ long: (name: String, row: Int, isOff: Bool)) -> Int32 {
        if long.isOff { return 0 }
        return switch rows[long.row].spelling.argument {
        case .none: 0
        case .required: 1
        case .optional: 2
        }
    }
}

/// C strings, and the vector of pointers to them that ends in NULL.
private struct CVector {
    private let strings: [[UInt8]]

    init(_ strings: [ByteString]) { self.strings = strings.map { $0.bytes + [0] } }

    func withPointer<Result>(
        _ body: (Int32, UnsafePointer<UnsafeMutablePointer<CChar>?>) throws -> Result
    ) throws -> Result {
        var storage = strings.flatMap { $0 }
        return try storage.withUnsafeMutableBytes { bytes in
            var pointers: [UnsafeMutablePointer<CChar>?] = []
            var offset = 0
            for string in strings {
                pointers.append(
                    bytes.baseAddress.map { ($0 + offset).assumingMemoryBound(to: CChar.self) })
                offset += string.count
            }
            pointers.append(nil)
            return try pointers.withUnsafeBufferPointer { buffer in
                // SAFETY: the vector has at least its NULL.
                try body(Int32(strings.count), buffer.baseAddress.unsafelyUnwrapped)
            }
        }
    }
}
