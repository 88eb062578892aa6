import GitCore

/// Exit statuses, Git's.
enum ExitStatus {
    static let failure: Int32 = 1
    static let fatal: Int32 = 128
    static let usage: Int32 = 129
}

/// The end of a command that did not do what was asked: the exit status, and what stderr is told.
struct Failure: Error {
    let status: Int32
    /// Whole lines; empty where the status says all.
    let text: String

    init(status: Int32, text: String = "") {
        self.status = status
        self.text = text
    }

    /// `fatal: <message>`, status 128.
    init(_ message: String, status: Int32 = ExitStatus.fatal) {
        self.init(status: status, text: "fatal: \(message)\n")
    }

    /// `error: <message>`.
    init(error message: String, status: Int32 = ExitStatus.failure) {
        self.init(status: status, text: "error: \(message)\n")
    }

    init(usage error: UsageError, _ usage: String) {
        let first = error.message.map { "error: \($0)\n" } ?? ""
        self.init(status: ExitStatus.usage, text: first + (error.showsUsage ? usage : ""))
    }

    /// Whatever a command may throw.
    init(_ error: any Error) {
        switch error {
        case let failure as Failure: self = failure
        default: self.init(oneLine("\(error)"))
        }
    }
}

/// The errors of the modules are one line by contract; those of the standard library need not be.
private func oneLine(_ text: String) -> String { ByteString(text).printable }
