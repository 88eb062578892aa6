import GitCore
import GitServer

extension ListenAddress {
    /// As an option says it.
    init(option text: ByteString) throws {
        do throws(ParseError) { try self.init(parsing: text) } catch {
            throw UsageError(error.reason + ".")
        }
    }
}
