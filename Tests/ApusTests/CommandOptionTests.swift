import GitCore
import Testing

@testable import apus

private struct Sample: Command {
    static let name = "sample"
    static let summary = "A command of the tests"
    static let usage = ["sample [<options>] <file>...", "sample --list"]
    static let options: [apus.Option<Sample>] = [
        .flag("-q, --[no-]quiet", \.isQuiet, "say less"),
        .flag("-a", \.isA, "a letter alone"),
        .toggle("--[no-]progress", \.progress, "show progress"),
        .flag("-n, --no-checkout", \.skipsCheckout, "leave the work tree alone"),
        .value("-b, --branch <name>", \.branch, "the branch"),
        .values("-c, --config <key=value>", \.settings, "more configuration"),
        .number("--threads <n>", \.threads, "how many"),
        .action("--batch[=<format>]", "with or without a format") { command, setting in
            if case .value(let format) = setting {
                command.batch = .some(format)
            } else {
                command.batch = .some(nil)
            }
        },
        .consuming("--info <mode>", "takes two arguments") { command, setting, following in
            guard case .value(let mode) = setting, let path = following.next() else {
                throw UsageError("option `info' expects two")
            }
            command.infos.append([mode, path])
        },
    ]

    var isQuiet = false
    var isA = false
    var progress: Bool?
    var skipsCheckout = false
    var branch: ByteString?
    var settings: [ByteString] = []
    var threads: Int?
    var batch: ByteString??
    var infos: [[ByteString]] = []
    var operands: [ByteString] = []

    mutating func take(_ operand: ByteString) { operands.append(operand) }

    func run(_ invocation: Invocation) {}
}

// getopt's state is the process's: one test at a time.
@Suite(.serialized) struct CommandOptionTests {
    private func parse(_ words: ByteString...) throws -> Sample {
        try OptionParser<Sample>().parse(words)
    }

    private func message(_ words: ByteString...) -> String? {
        do {
            _ = try OptionParser<Sample>().parse(words)
            return nil
        } catch let error as UsageError {
            return error.message
        } catch {
            return "\(error)"
        }
    }

    @Test func operandsAndOptionsMayMix() throws {
        let sample = try parse("one", "-q", "two", "--branch", "x", "three")
        #expect(sample.operands == ["one", "two", "three"])
        #expect(sample.isQuiet)
        #expect(sample.branch == "x")
    }

    @Test(arguments: [["-bx"], ["-b", "x"], ["--branch=x"], ["--branch", "x"], ["--bra=x"]])
    func argumentMayBeJoinedOrNot(_ words: [String]) throws {
        let sample = try OptionParser<Sample>().parse(words.map { ByteString($0) })
        #expect(sample.branch == "x")
    }

    @Test func lettersMayBeBundled() throws {
        let sample = try parse("-qab", "main")
        #expect(sample.isQuiet && sample.isA)
        #expect(sample.branch == "main")
    }

    @Test func noFormTurnsOff() throws {
        #expect(try parse("-q", "--no-quiet").isQuiet == false)
        #expect(try parse("--no-progress").progress == false)
        #expect(try parse("--progress").progress == true)
        #expect(try parse().progress == nil)
        #expect(try parse("--no-checkout").skipsCheckout)
        #expect(try parse("--no-checkout", "--checkout").skipsCheckout == false)
    }

    @Test func doubleDashEndsOptions() throws {
        let sample = try parse("-q", "--", "-a", "--", "x")
        #expect(sample.operands == ["-a", "--", "x"])
        #expect(!sample.isA)
    }

    @Test func singleDashIsAnOperand() throws {
        #expect(try parse("-").operands == ["-"])
    }

    @Test func optionalArgumentMustBeJoined() throws {
        #expect(try parse("--batch", "x").batch == .some(nil))
        #expect(try parse("--batch", "x").operands == ["x"])
        #expect(try parse("--batch=x").batch == .some("x"))
        #expect(try parse("--batch=").batch == .some(""))
    }

    @Test func repeatedValuesAddUp() throws {
        #expect(try parse("-c", "a=b", "--config=c=d").settings == ["a=b", "c=d"])
    }

    @Test func optionMayTakeWhatFollows() throws {
        let sample = try parse("--info", "100644", "path", "-q", "--info=1", "-x", "rest")
        #expect(sample.infos == [["100644", "path"], ["1", "-x"]])
        #expect(sample.isQuiet)
        #expect(sample.operands == ["rest"])
    }

    @Test func argumentsAreBytes() throws {
        let bytes = ByteString([0xff, 0x80, 0x2f])
        #expect(try parse("-b", bytes, bytes).branch == bytes)
        #expect(try parse("-b", bytes, bytes).operands == [bytes])
    }

    @Test func numbersTakeUnits() throws {
        #expect(try parse("--threads=4").threads == 4)
        #expect(try parse("--threads=2k").threads == 2_048)
        #expect(
            message("--threads=x")
                == "option `threads' expects an integer value with an optional k/m/g suffix")
        #expect(message("--threads=9999999999999g") != nil)
    }

    @Test func faultsAreToldAsGitTellsThem() {
        #expect(message("--foo") == "unknown option `foo'")
        #expect(message("--foo=bar") == "unknown option `foo'")
        #expect(message("-x") == "unknown switch `x'")
        #expect(message("-qx") == "unknown switch `x'")
        #expect(message("-b") == "switch `b' requires a value")
        #expect(message("--branch") == "option `branch' requires a value")
        #expect(message("--quiet=1") == "option `quiet' takes no value")
        #expect(
            message("--b") == "ambiguous option: b (could be --branch or --batch)")
    }

    @Test func helpIsAskedForByDashH() {
        #expect(throws: HelpRequest.self) { try parse("-h") }
        #expect(throws: HelpRequest.self) { try parse("-q", "-h") }
        #expect(throws: HelpRequest.self) { try parse("--help") }
    }

    @Test func helpIsMadeFromTheTable() {
        #expect(
            usageText(of: Sample.self).hasPrefix(
                """
                usage: apus sample [<options>] <file>...
                   or: apus sample --list

                    -q, --[no-]quiet      say less
                    -a                    a letter alone
                    --[no-]progress       show progress
                    -n, --no-checkout     leave the work tree alone
                    -b, --branch <name>   the branch
                    -c, --config <key=value>
                                          more configuration

                """))
    }

    private static let names = Commands.groups.flatMap { $0.commands.map { $0.name } }

    @Test(arguments: names)
    func everyCommandHasHelpAndATableThatGetoptTakes(_ name: String) throws {
        let command = try #require(Commands.named(ByteString(name)))
        #expect(command.help.hasPrefix("usage: apus \(name)"))
        #expect(command.optionNames.count == Set(command.optionNames).count)
    }
}

extension Command {
    fileprivate static var optionNames: [String] {
        options.flatMap { option in
            option.spelling.shorts.map { "-\(UnicodeScalar($0))" }
                + option.spelling.longForms.map(\.name)
        }
    }
}
