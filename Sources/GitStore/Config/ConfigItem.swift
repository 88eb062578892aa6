package import GitCore

/// What a configuration file says at one place, for who tells a person where something is wrong.
package struct ConfigItem: Sendable {
    /// For the header of a section, without a name.
    package let key: ConfigKey
    /// nil for a header, and for a variable without `=`.
    package let value: ByteString?
    /// The line that it begins on, from 1.
    package let line: Int

    package var isHeader: Bool { key.name.isEmpty }
}

extension ConfigFile {
    /// Every header and every variable, in order.
    package var items: [ConfigItem] {
        var line = 1
        var position = 0
        return elements.map { element in
            line += bytes[position ..< element.range.lowerBound].count { $0 == 0x0a }
            position = element.range.lowerBound
            switch element.kind {
            case .header:
                return ConfigItem(key: ConfigKey(parsed: element.key + "."), value: nil, line: line)
            case .entry(let value):
                return ConfigItem(key: ConfigKey(parsed: element.key), value: value, line: line)
            }
        }
    }
}
