import GitCore
import GitStore

struct MultiPackIndexCommand: Command {
    static let name = "multi-pack-index"
    static let summary = "Write or verify an index of many packs"
    static let usage = [
        "multi-pack-index [--object-dir <dir>] write [--preferred-pack <pack>] [--[no-]bitmap]",
        "multi-pack-index [--object-dir <dir>] verify",
    ]
    static let options: [Option<MultiPackIndexCommand>] = [
        .value("--object-dir <dir>", \.objectDirectory, "the object directory of the packs"),
        .value("--preferred-pack <pack>", \.preferred, "pack for reuse when computing a bitmap"),
        .flag("--[no-]bitmap", \.bitmap, "write multi-pack bitmap"),
        .toggle("--[no-]progress", \.progress, "accepted for compatibility: none is shown"),
    ]

    private var objectDirectory: ByteString?
    private var preferred: ByteString?
    private var bitmap = false
    private var progress: Bool?
    private var action: ByteString?

    mutating func take(_ operand: ByteString) throws {
        guard action == nil, ["write", "verify"].contains(operand) else { throw UsageError(nil) }
        action = operand
    }

    func run(_ invocation: Invocation) throws {
        guard let action else { throw UsageError("need a subcommand") }
        let workspace = try invocation.workspace()
        var objects = workspace.objects
        if let objectDirectory {
            objects = try ObjectDatabase(
                objectsDirectory: objectDirectory, format: workspace.format)
        }
        if action == "verify" { return try verify(objects) }
        var writer = MultiPackIndexWriter(objects)
        writer.preferredPack = preferred
        writer.bitmaps = bitmap ? workspace.repository : nil
        do {
            if case .noPacks = try writer.write() {
                throw Failure(error: "no pack files to index.")
            }
        } catch let error as StoreError where error.code == .invalid {
            throw Failure(
                status: ExitStatus.failure,
                text: """
                    warning: Failed to write bitmap index. \(error.message)
                    error: could not write multi-pack bitmap\n
                    """)
        }
    }

    private func verify(_ objects: ObjectDatabase) throws {
        var isFaulty = false
        try objects.checkMultiPackIndex { fault in
            writeError("error: \(fault)\n")
            isFaulty = true
        }
        if isFaulty { throw Failure(status: ExitStatus.failure) }
    }
}
