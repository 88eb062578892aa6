public import GitCore
import GitStore

// The file of settings, in the format of Git's configuration (git-config, "Syntax"):
//
//     [cache]
//         store = /var/cache/apus
//         answers = 20g
//     [upstream "github.com"]
//     [upstream "git.example.org"]
//         url = https://git.example.org:8443/scm/
//         sslCAInfo = /etc/apus/example.pem
//
// Setting.swift has the keys. Nothing is included, neither from this file nor from Git's own; what is not
// known is an error, so that nothing that was meant to protect anybody is passed over for a slip of the pen.

extension CacheOptions {
    /// What the file at `path` says, the rest as it is without a file: ``store`` and ``upstreams`` are empty
    /// where it names none.
    ///
    /// - Throws: ``CacheError/Code/invalid`` that names the file, the line and the key;
    ///   ``CacheError/Code/store`` for a file that cannot be read.
    public init(settings path: ByteString) throws(CacheError) {
        var reader = SettingsReader(path)
        for item in try Self.items(path) { try reader.take(item) }
        self = try reader.finish()
    }

    private static func items(_ path: ByteString) throws(CacheError) -> [ConfigItem] {
        do throws(StoreError) {
            guard let file = try ConfigFile(path: path) else {
                throw StoreError(.notFound, "there is no config file '\(path)'")
            }
            return file.items
        } catch { throw CacheError(error) }
    }
}

/// Takes the variables of a file in their order.
private struct SettingsReader {
    private let path: ByteString
    private var options = CacheOptions(store: "", upstreams: [])
    /// Each with the line that its URL is told by: where it has one, or where it begins.
    private var sections: [(host: ByteString, line: Int, section: UpstreamSection)] = []
    private var places: [ByteString: Int] = [:]

    init(_ path: ByteString) { self.path = path }

    mutating func take(_ item: ConfigItem) throws(CacheError) {
        switch (item.key.section, item.key.subsection) {
        case ("cache", nil):
            if !item.isHeader { try apply(Setting<CacheOptions>.all, item, &options) }
        case ("upstream", let host?):
            let place = try place(of: host, item)
            if item.key.name == "url" { sections[place].line = item.line }
            if !item.isHeader {
                try apply(Setting<UpstreamSection>.all, item, &sections[place].section)
            }
        default:
            guard item.isHeader else { throw fault(item.line, "unknown key '\(item.key)'") }
            let name = item.key.stem
            throw fault(
                item.line,
                name == "upstream"
                    ? "the host of an upstream is missing: [upstream \"<host>\"]"
                    : "unknown section '\(name)'")
        }
    }

    /// Sections of one host are one.
    private mutating func place(of host: ByteString, _ item: ConfigItem) throws(CacheError) -> Int {
        let host = ByteString(host.bytes.map(\.lowercased))
        if let place = places[host] { return place }
        guard UpstreamHost.isName(host) else {
            throw fault(item.line, "'\(host)' is not the name of a host")
        }
        sections.append((host, item.line, UpstreamSection()))
        places[host] = sections.count - 1
        return sections.count - 1
    }

    private func apply<Target>(
        _ settings: [Setting<Target>], _ item: ConfigItem, _ target: inout Target
    ) throws(CacheError) {
        let setting = settings.first { ByteString($0.name.lowercased()) == item.key.name }
        guard let setting else { throw fault(item.line, "unknown key '\(item.key)'") }
        do throws(SettingFault) {
            try setting.apply(&target, SettingValue(text: item.value))
        } catch {
            throw fault(item.line, "\(item.key.stem.printable).\(setting.name): \(error.reason)")
        }
    }

    func finish() throws(CacheError) -> CacheOptions {
        var options = options
        for (name, line, section) in sections {
            do throws(CacheError) {
                var host = try UpstreamHost(name: name, url: section.url)
                let isLiteral = host.allowsPrivateAddresses
                host.options = section.options
                host.allowsPrivateAddresses = isLiteral || section.allowsPrivateAddresses
                options.upstreams.append(host)
            } catch { throw fault(line, error.message) }
        }
        return options
    }

    private func fault(_ line: Int, _ reason: String) -> CacheError {
        CacheError(.invalid, "bad config line \(line) in file '\(path)': \(reason)")
    }
}
