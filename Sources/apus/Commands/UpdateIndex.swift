import GitCore
import GitStore
import GitWorktree

struct UpdateIndex: Command {
    static let name = "update-index"
    static let summary = "Put files of the work tree, or other entries, into the index"
    static let usage = ["update-index [<options>] [--] [<file>...]"]
    static let options: [Option<UpdateIndex>] = [
        .action("--[no-]add", "do not ignore new files") { $0.set(.add, $1) },
        .action("--[no-]replace", "let files replace directories and vice-versa") {
            $0.set(.replace, $1)
        },
        .action("--[no-]remove", "notice files missing from worktree") { $0.set(.remove, $1) },
        .consuming("--cacheinfo <mode>,<object>,<path>", "add the specified entry to the index") {
            try $0.takeEntry($1, &$2)
        },
        .flag(
            "--[no-]force-remove", \.isForcedRemoval,
            "remove named paths even if present in worktree"),
        .flag("-z", \.endsWithNUL, "with --stdin: input lines are terminated by null bytes"),
        .action("--stdin", "read list of paths to be updated from standard input") {
            command, _ in command.steps.append(.pathsFromInput(command.mode))
        },
        .action("--index-info", "add entries from standard input to the index") { command, _ in
            command.steps.append(.entriesFromInput)
        },
        .flag("--[no-]verbose", \.isVerbose, "report actions to standard output"),
    ]

    /// What holds for a path, from the options before it.
    private struct Mode {
        var options: IndexUpdate.Options = []
        var isForcedRemoval = false
    }

    private enum Step {
        case path(ByteString, Mode)
        case entry(FileMode, ObjectID, ByteString, Mode)
        case pathsFromInput(Mode)
        case entriesFromInput
    }

    private var mode = Mode()
    private var endsWithNUL = false
    private var isVerbose = false
    private var steps: [Step] = []

    private var isForcedRemoval: Bool {
        get { mode.isForcedRemoval }
        set { mode.isForcedRemoval = newValue }
    }

    private mutating func set(_ option: IndexUpdate.Options, _ setting: OptionSetting) {
        if case .off = setting { mode.options.remove(option) } else { mode.options.insert(option) }
    }

    /// `--cacheinfo <mode>,<object>,<path>`, or the three as arguments of their own.
    private mutating func takeEntry(
        _ setting: OptionSetting, _ following: inout FollowingArguments
    ) throws {
        let fault = UsageError(
            "option 'cacheinfo' expects <mode>,<sha1>,<path>", showsUsage: false)
        guard case .value(let text) = setting else { throw fault }
        let parts = text.bytes.split(
            separator: UInt8(ascii: ","), maxSplits: 2, omittingEmptySubsequences: false)
        var fields = parts.map { ByteString($0) }
        if fields.count == 1, let oid = following.next(), let path = following.next() {
            fields += [oid, path]
        }
        guard fields.count == 3, let oid = ObjectID(hex: fields[1]) else { throw fault }
        guard let mode = FileMode(octal: fields[0]) else {
            throw Failure("apus update-index: --cacheinfo cannot add \(fields[2])")
        }
        steps.append(.entry(mode, oid, fields[2], self.mode))
    }

    mutating func take(_ operand: ByteString) { steps.append(.path(operand, mode)) }

    func run(_ invocation: Invocation) throws {
        let workspace = try invocation.workspace()
        let updating = Updating(workspace: workspace, output: isVerbose ? invocation.output : nil)
        var update = try workspace.beginIndexUpdate()
        for step in steps { try perform(step, updating, &update) }
        for warning in update.warnings { writeError("warning: \(warning)\n") }
        try update.commit()
    }

    private func perform(
        _ step: Step, _ updating: Updating, _ update: inout IndexUpdate
    ) throws {
        let terminator: UInt8 = endsWithNUL ? 0 : 0x0a
        switch step {
        case .path(let path, let mode):
            try updating.file(path, mode.options, mode.isForcedRemoval, &update)
        case .entry(let fileMode, let oid, let path, let mode):
            try updating.entry(fileMode, oid, path, mode.options, &update)
        case .pathsFromInput(let mode):
            var input = try Input.standard()
            while let line = try input.nextLine(endedBy: terminator) {
                guard let path = endsWithNUL ? line : line.unquoted else {
                    throw Failure("line is badly quoted")
                }
                try updating.file(path, mode.options, mode.isForcedRemoval, &update)
            }
        case .entriesFromInput:
            var input = try Input.standard()
            while let line = try input.nextLine(endedBy: terminator) {
                try updating.line(line, isQuoted: !endsWithNUL, &update)
            }
        }
    }
}

/// Takes paths and entries as the command line and standard input give them.
private struct Updating {
    let workspace: Workspace
    /// Where each action is told of; nil for nowhere.
    let output: Output?

    func file(
        _ path: ByteString, _ options: IndexUpdate.Options, _ isForcedRemoval: Bool,
        _ update: inout IndexUpdate
    ) throws {
        guard let whole = workspace.pathFromTop(path), !whole.isEmpty else {
            throw Failure("\(path): '\(path)' is outside repository")
        }
        if isForcedRemoval {
            update.remove(whole)
            return tell("remove", whole)
        }
        do {
            try update.update(whole, options)
        } catch {
            throw Failure(
                status: ExitStatus.fatal,
                text: "error: \(error)\nfatal: Unable to process path \(path)\n")
        }
        tell(update.index[whole] == nil ? "remove" : "add", whole)
    }

    func entry(
        _ mode: FileMode, _ oid: ObjectID, _ path: ByteString, _ options: IndexUpdate.Options,
        _ update: inout IndexUpdate
    ) throws {
        do {
            try update.insert(mode: mode, oid: oid, path: path, options)
        } catch {
            throw Failure(
                status: ExitStatus.fatal,
                text: "error: \(error)\nfatal: apus update-index: --cacheinfo cannot add \(path)\n")
        }
        tell("add", path)
    }

    /// `<mode> <object> TAB <path>`, with the kind before the object as ls-tree prints it, or the stage
    /// behind it as ls-files does. Mode 0 removes.
    func line(_ line: ByteString, isQuoted: Bool, _ update: inout IndexUpdate) throws {
        let malformed = Failure("malformed index info \(line)")
        guard let tab = line.bytes.firstIndex(of: 0x09) else { throw malformed }
        let tail = ByteString(line.bytes[(tab + 1)...])
        var words = ByteString(line.bytes[..<tab]).split(0x20)
        guard let path = isQuoted ? tail.unquoted : tail else {
            throw Failure("line is badly quoted")
        }
        if words.count == 3 {
            let isStage = words[2].count == 1
            guard !isStage || words[2] == "0" else {
                throw Failure("entries of an unfinished merge are not supported: \(line)")
            }
            words.remove(at: isStage ? 2 : 1)
        }
        guard words.count == 2, let oid = ObjectID(hex: words[1]), oid.format == workspace.format
        else { throw malformed }
        if words[0] == "0" || words[0] == "000000" { return update.remove(path) }
        guard let mode = FileMode(octal: words[0]) else { throw malformed }
        do {
            try update.insert(mode: mode, oid: oid, path: path, [.add, .replace])
        } catch {
            throw Failure(
                status: ExitStatus.fatal,
                text: "error: \(error)\nfatal: apus update-index: unable to update \(path)\n")
        }
    }

    private func tell(_ action: String, _ path: ByteString) {
        output?.write(ByteString("\(action) '") + path + "'\n")
    }
}

extension FileMode {
    /// A mode in octal, of a kind that an index holds; nil for anything else.
    fileprivate init?(octal text: ByteString) {
        guard let value = UInt32(String(decoding: text.bytes, as: UTF8.self), radix: 8),
            let mode = FileMode(lenient: value), mode != .directory
        else { return nil }
        self = mode
    }
}
