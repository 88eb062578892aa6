public import GitCore
import GitWire

/// Which refs of a server are fetched, and which refs here they are written to (git-fetch, "<refspec>").
///
///     [+]<source>[:<destination>]      names, or one `*` in each
///     ^<source>                        what other refspecs are not to take
///
/// A source that is no pattern may be short (`main`), `HEAD`, or an object id. `+` allows what is no
/// fast-forward.
public struct Refspec: Hashable, Sendable {
    public let isForced: Bool
    public let isNegative: Bool
    private let source: Side
    /// nil where what is fetched is written to no ref.
    private let destination: Side?

    /// A name; what is before and after the `*` of a pattern.
    private struct Side: Hashable, Sendable {
        let front: ByteString
        let back: ByteString?

        init?(_ text: ByteString) {
            let parts = text.split(UInt8(ascii: "*"))
            guard parts.count <= 2 else { return nil }
            front = parts[0]
            back = parts.count == 2 ? parts[1] : nil
            // Whatever stands for the `*`, the rest must be part of a name.
            guard RefName.isWellFormed(back.map { front + "x" + $0 } ?? front) else { return nil }
        }

        /// What stands for the `*` in a name; empty for a name that is this one.
        func middle(of name: ByteString) -> ByteString? {
            guard let back else { return name == front ? "" : nil }
            guard name.count >= front.count + back.count, name.hasPrefix(front),
                name.hasSuffix(back)
            else { return nil }
            return name.dropFirst(front.count).dropLast(back.count)
        }

        func expanded(_ middle: ByteString) -> ByteString {
            back.map { front + middle + $0 } ?? front
        }
    }

    /// - Throws: ``ClientError/Code/invalid`` for what is not of this form.
    public init(_ text: ByteString) throws(ClientError) {
        let invalid = ClientError(.invalid, "invalid refspec '\(text)'")
        isForced = text.hasPrefix("+")
        isNegative = text.hasPrefix("^")
        let bare = isForced || isNegative ? text.dropFirst(1) : text
        let sides = bare.split(UInt8(ascii: ":"))
        guard sides.count <= 2, !isNegative || sides.count == 1 else { throw invalid }
        let name = sides[0].isEmpty || sides[0] == "@" ? "HEAD" : sides[0]
        guard !isNegative || !sides[0].isEmpty, let source = Side(name) else { throw invalid }
        self.source = source
        if sides.count == 2, !sides[1].isEmpty {
            guard let side = Side(sides[1]), (side.back == nil) == (source.back == nil) else {
                throw invalid
            }
            destination = side
        } else {
            guard isNegative || source.back == nil else { throw invalid }
            destination = nil
        }
    }

    var isPattern: Bool { source.back != nil }
    var hasDestination: Bool { destination != nil }
    /// The name that a source which is no pattern has.
    var sourceName: ByteString { source.front }
    /// The object that is meant, where it is no ref.
    var oid: ObjectID? { isPattern ? nil : ObjectID(hex: source.front) }

    /// Whether it is of the form that `git clone` writes: `[+]refs/…:refs/…`.
    var isFull: Bool {
        !isNegative && source.front.hasPrefix("refs/")
            && destination?.front.hasPrefix("refs/") == true
    }

    /// The `ref-prefix`es that cover it.
    var prefixes: [ByteString] {
        if isNegative || oid != nil { return [] }
        if isPattern || source.front.hasPrefix("refs/") { return [source.front] }
        return Self.rules.map { $0 + source.front }
    }

    /// Whether it means this ref of the server, by its full name.
    func matches(_ name: ByteString) -> Bool { source.middle(of: name) != nil }

    /// The name that a ref of the server has here, for a full refspec; nil for one that is not meant, and
    /// where the name would not be a ref's.
    func map(_ name: RefName) -> RefName? {
        guard !isNegative, let middle = source.middle(of: name.bytes), let destination else {
            return nil
        }
        return RefName(destination.expanded(middle))
    }

    /// The name that a ref here has on the server; nil for one that this refspec does not write.
    func source(of name: RefName) -> ByteString? {
        guard !isNegative, let middle = destination?.middle(of: name.bytes) else { return nil }
        return source.expanded(middle)
    }

    // MARK: Short names

    /// What may stand before a short name, in the order in which Git tries it (gitrevisions).
    private static let rules: [ByteString] = [
        "", "refs/", "refs/tags/", "refs/heads/", "refs/remotes/",
    ]

    /// The ref of the server that a source which is no pattern means.
    func find(in refs: AdvertisedRefs) -> AdvertisedRef? {
        for rule in Self.rules {
            let name = rule + source.front
            if let ref = refs.refs.first(where: { $0.name.bytes == name }) { return ref }
        }
        return nil
    }

    /// The ref here that a destination which is no pattern means.
    var destinationName: RefName? {
        guard let name = destination?.front else { return nil }
        if name.hasPrefix("refs/") { return RefName(name) }
        let isPartial = ["heads/", "tags/", "remotes/"].contains { name.hasPrefix($0) }
        return RefName((isPartial ? "refs/" : "refs/heads/") + name)
    }
}
