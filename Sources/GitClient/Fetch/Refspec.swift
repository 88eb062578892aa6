import GitCore

/// One value of `remote.<name>.fetch`: which refs of the server are taken, and under which names.
///
///     [+]<source>:<destination>      each a full ref name, with one `*` in both or in neither
struct Refspec: Sendable {
    private let source: (front: ByteString, back: ByteString?)
    private let destination: (front: ByteString, back: ByteString?)

    /// - Throws: ``ClientError/Code/invalid`` for what is not of this form.
    init(_ text: ByteString) throws(ClientError) {
        let bare = text.hasPrefix("+") ? text.dropFirst(1) : text
        let sides = bare.split(UInt8(ascii: ":"))
        guard sides.count == 2, let source = Self.halves(sides[0]),
            let destination = Self.halves(sides[1]),
            (source.back == nil) == (destination.back == nil),
            sides.allSatisfy({ $0.hasPrefix("refs/") })
        else { throw ClientError(.invalid, "invalid or unsupported refspec '\(text)'") }
        self.source = source
        self.destination = destination
    }

    private static func halves(_ side: ByteString) -> (front: ByteString, back: ByteString?)? {
        let parts = side.split(UInt8(ascii: "*"))
        return switch parts.count {
        case 1: (parts[0], nil)
        case 2: (parts[0], parts[1])
        default: nil
        }
    }

    /// A `ref-prefix` that covers it.
    var prefix: ByteString { source.front }

    /// The name that a ref of the server has here; nil for one that is not meant.
    func map(_ name: RefName) -> RefName? {
        guard let back = source.back else {
            return name.bytes == source.front ? RefName(destination.front) : nil
        }
        guard name.bytes.count >= source.front.count + back.count,
            name.bytes.hasPrefix(source.front), name.bytes.hasSuffix(back)
        else { return nil }
        let middle = name.bytes.dropFirst(source.front.count).dropLast(back.count)
        return RefName(destination.front + middle + (destination.back ?? ""))
    }
}
