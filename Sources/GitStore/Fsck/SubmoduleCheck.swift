import GitCore

// A blob that some tree calls `.gitmodules` is read by Git as configuration (gitmodules): a section
// `[submodule "<name>"]` with path, url and update. Names become directories in `.git/modules`, URLs
// and paths become arguments of programs: what could be taken for something else is refused.

extension ObjectChecker {
    /// Largest `.gitmodules` that is read, in bytes.
    public static let largestSubmoduleFile: UInt64 = 1 << 20

    /// What is wrong with the blob `oid` as a `.gitmodules`.
    func checkSubmodules(_ oid: ObjectID, in objects: ObjectDatabase) throws(StoreError)
        -> [ObjectFault]
    {
        guard try objects.contains(oid) else {
            return [.error("gitmodulesMissing", "unable to read .gitmodules blob")]
        }
        let header = try objects.header(oid)
        guard header.kind == .blob else {
            return [.error("gitmodulesBlob", "non-blob found at .gitmodules")]
        }
        guard header.size <= Self.largestSubmoduleFile else {
            return [.error("gitmodulesLarge", ".gitmodules too large to parse")]
        }
        return checkSubmodules(try objects.read(oid).content)
    }

    /// What is wrong with the content of a `.gitmodules`.
    func checkSubmodules(_ content: [UInt8]) -> [ObjectFault] {
        let file: ConfigFile
        do {
            file = try ConfigFile(parsing: content)
        } catch {
            return [ObjectFault(.info, "gitmodulesParse", "could not parse gitmodules blob")]
        }
        var faults: [ObjectFault] = []
        for (key, value) in file.entries where key.section == "submodule" {
            guard let name = key.subsection else { continue }
            if let fault = fault(name: name, key.name, value ?? "") { faults.append(fault) }
        }
        return faults
    }

    private func fault(
        name: ByteString, _ variable: ByteString, _ value: ByteString
    ) -> ObjectFault? {
        if !Self.isHarmless(name: name) {
            return .error("gitmodulesName", "disallowed submodule name: \(name)")
        }
        switch variable {
        case "url" where !Self.isHarmless(url: value):
            return .error("gitmodulesUrl", "disallowed submodule url: \(value)")
        case "path" where value.hasPrefix("-"):
            return .error("gitmodulesPath", "disallowed submodule path: \(value)")
        case "update" where value.hasPrefix("!"):
            return .error("gitmodulesUpdate", "disallowed submodule update setting: \(value)")
        default: return nil
        }
    }

    /// A name is a path: `..` would lead out of `.git/modules`.
    private static func isHarmless(name: ByteString) -> Bool {
        let parts = name.bytes.split(omittingEmptySubsequences: false) { $0 == 0x2f || $0 == 0x5c }
        return !name.isEmpty && !parts.contains { ByteString($0) == ".." }
    }

    /// It must not be taken for an option, nor give a credential helper a second line, nor, relative to
    /// another, replace that one's host.
    private static func isHarmless(url: ByteString) -> Bool {
        guard !url.hasPrefix("-"), !percentDecoded(url).bytes.contains(0x0a) else { return false }
        guard url.hasPrefix("./") || url.hasPrefix("../") else { return true }
        var rest = url
        var levels = 0
        while true {
            if rest.hasPrefix("../") {
                levels += 1
                rest = rest.dropFirst(3)
            } else if rest.hasPrefix("./") {
                rest = rest.dropFirst(2)
            } else {
                break
            }
        }
        return levels == 0 || !(rest.hasPrefix(":") || rest.hasPrefix("/"))
    }

    private static func percentDecoded(_ text: ByteString) -> ByteString {
        var out: [UInt8] = []
        var rest = text.bytes[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(2)
            if byte == 0x25, digits.count == 2,
                digits.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }),
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            {
                out.append(value)
                rest = rest.dropFirst(2)
            } else {
                out.append(byte)
            }
        }
        return ByteString(out)
    }
}
