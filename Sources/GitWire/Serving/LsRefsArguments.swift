public import GitCore

/// What a version 2 client asks of `ls-refs` (gitprotocol-v2, "ls-refs").
public struct LsRefsArguments: Sendable {
    /// Whether it wants to know what annotated tags point to.
    public internal(set) var peel = false
    /// Whether it wants to know where symbolic refs point.
    public internal(set) var symrefs = false
    /// Whether it wants to be told of a HEAD whose branch has no commit yet. It can be told only where
    /// it asked for ``symrefs`` too.
    public internal(set) var unborn = false
    /// Of which refs it wants to know.
    public internal(set) var prefixes = RefPrefixes([])

    init() {}
}

/// The prefixes of the names of refs that a client wants to see.
public struct RefPrefixes: Hashable, Sendable {
    /// In order; none of them begins with another. Empty where all refs are wanted.
    public let list: [ByteString]

    public init(_ prefixes: [ByteString]) {
        var list: [ByteString] = []
        // What begins with a prefix comes after it, before whatever does not.
        for prefix in prefixes.sorted() {
            if let last = list.last, prefix.hasPrefix(last) { continue }
            list.append(prefix)
        }
        self.list = list
    }

    /// Whether `name` begins with one of them, or all refs are wanted. The time it takes grows with
    /// the logarithm of their number.
    public func matches(_ name: ByteString) -> Bool {
        if list.isEmpty { return true }
        // Only the last prefix not after `name` can begin it.
        var low = 0
        var high = list.count
        while low < high {
            let middle = low + (high - low) / 2
            if name < list[middle] { high = middle } else { low = middle + 1 }
        }
        return low > 0 && name.hasPrefix(list[low - 1])
    }
}

struct LsRefsGrammar {
    private let allowsUnborn: Bool
    private let limits: ServingLimits
    private var arguments = LsRefsArguments()
    private var prefixes: [ByteString] = []

    init(_ offer: UploadPackOffer, _ limits: ServingLimits) {
        allowsUnborn = offer.unborn != .ignored
        self.limits = limits
    }

    mutating func take(_ line: WireLine) throws(WireError) {
        if let prefix = line.value(after: "ref-prefix ") {
            if prefixes.count < limits.refPrefixes { prefixes.append(ByteString(prefix)) }
        } else if line.is("peel") {
            arguments.peel = true
        } else if line.is("symrefs") {
            arguments.symrefs = true
        } else if line.is("unborn") {
            arguments.unborn = allowsUnborn
        } else {
            throw line.unknown
        }
    }

    /// With too many prefixes it is as if there were none: they would have had to be complete.
    func finish() -> LsRefsArguments {
        guard prefixes.count < limits.refPrefixes else { return arguments }
        var arguments = arguments
        arguments.prefixes = RefPrefixes(prefixes)
        return arguments
    }
}
