import GitCore
import GitStore

/// `--abbrev[=<n>]` and its kin: how many digits of an object id are shown.
enum Abbreviation {
    case none
    /// As core.abbrev or the number of objects suggests.
    case usual
    case atLeast(Int)

    init(option setting: OptionSetting) throws {
        guard case .value(let text) = setting else {
            if case .off = setting { self = .none } else { self = .usual }
            return
        }
        guard let digits = parseNumber(text), digits >= 0 else {
            throw UsageError("option `abbrev' expects a numerical value", showsUsage: false)
        }
        self = digits == 0 ? .none : .atLeast(digits)
    }

    func text(_ oid: ObjectID, _ workspace: Workspace) throws -> ByteString {
        let objects = workspace.objects
        return switch self {
        case .none: ByteString(oid.hexBytes)
        case .usual:
            try objects.abbreviated(oid, minimum: workspace.repository.abbreviationLength())
        case .atLeast(let digits): try objects.abbreviated(oid, minimum: digits)
        }
    }
}
