import GitCore

/// How a file's content differs between the repository and the work tree (gitattributes, "Checking-out
/// and checking-in").
///
/// Filters (`filter=`) are programs that a repository's configuration names. None is run: what would
/// pass through one is written as it is in the repository (of Git LFS, the pointers).
struct Conversion: Hashable, Sendable {
    /// What a file's lines end in, in the work tree.
    enum LineEnds: Hashable, Sendable {
        /// As they are.
        case untouched
        /// Text: LF in the repository, this in the work tree.
        case text(WorktreeSettings.LineEnd)
        /// The same, if the content looks like text and what the repository has holds no CR.
        case auto(WorktreeSettings.LineEnd)
    }

    var lineEnds: LineEnds
    /// `$Id$` stands for the blob's id.
    var expandsIdent: Bool
    /// An encoding other than UTF-8 that the work tree's file should have, and does not get.
    var missingEncoding: ByteString?

    init(_ attributes: PathAttributes, _ settings: WorktreeSettings) {
        lineEnds = Self.lineEnds(attributes, settings)
        expandsIdent = attributes.ident == .set
        if case .value(let encoding) = attributes.workingTreeEncoding,
            !equalsIgnoringCase(encoding.bytes.span, "utf-8"),
            !equalsIgnoringCase(encoding.bytes.span, "utf8"), !encoding.isEmpty
        {
            missingEncoding = encoding
        }
    }

    private static func lineEnds(
        _ attributes: PathAttributes, _ settings: WorktreeSettings
    ) -> LineEnds {
        let eol: WorktreeSettings.LineEnd? =
            switch attributes.eol {
            case .value("lf"): .lf
            case .value("crlf"): .crlf
            default: nil
            }
        let usual: WorktreeSettings.LineEnd =
            switch settings.autoCRLF {
            case .on: .crlf
            case .input: .lf
            case .off: settings.eol
            }
        switch kind(attributes.text) ?? kind(attributes.crlf) {
        case .untouched: return .untouched
        case .input: return .text(eol ?? .lf)
        case .text: return .text(eol ?? usual)
        case .auto: return .auto(eol ?? usual)
        case nil:
            if let eol { return .text(eol) }
            return settings.autoCRLF == .off ? .untouched : .auto(usual)
        }
    }

    private enum Kind { case untouched, text, input, auto }

    /// What `text`, or its older name `crlf`, says; nil for nothing that has a meaning.
    private static func kind(_ value: AttributeValue?) -> Kind? {
        switch value {
        case .set: .text
        case .unset: .untouched
        case .value("input"): .input
        case .value("auto"): .auto
        default: nil
        }
    }
}
