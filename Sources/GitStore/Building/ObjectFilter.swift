// A filter (git-rev-list, "--filter"), as a client sends it and an option gives it:
//
//     blob:none                      no blobs
//     blob:limit=<n>[kmg]            blobs of fewer bytes only
//     tree:<depth>                   trees and blobs less than so many levels below a commit
//     object:type=<kind>             objects of one kind
//     combine:<filter>+<filter>...   what all of them let through; each percent-encoded
//     sparse:oid=<blob>              blobs that a sparse checkout by the blob's patterns holds

public import GitCore

/// What is left out of a pack. Objects that were asked for by their ids are never left out.
public struct ObjectFilter: Sendable, Hashable {
    /// Trees and blobs as many levels below a commit, and deeper, are left out; its tree is at 0.
    public private(set) var depth: UInt64 = .max
    /// Blobs of as many bytes, and more, are left out.
    public private(set) var blobLimit: UInt64 = .max
    /// All other kinds are left out.
    public private(set) var kinds: Set<ObjectKind> = Set(ObjectKind.allCases)

    /// Blobs at no path that all of these hold are left out.
    public private(set) var sparse: [SparsePatterns] = []

    /// Leaves nothing out.
    public init() {}

    /// Finds the patterns that `sparse:oid=` names.
    public typealias SparseLookup = (ByteString) throws(StoreError) -> SparsePatterns

    /// - Parameter patterns: finds patterns by what stands behind `sparse:oid=`; called for as many as
    ///   ``mostSparse`` of them. Without it there are none.
    /// - Throws: ``StoreError/Code/invalid`` with Git's message; ``StoreError/Code/limit``; what `patterns`
    ///   throws.
    public init(
        parsing text: ByteString, patterns: SparseLookup = Self.noPatterns
    ) throws(StoreError) {
        try apply(text, patterns, nesting: 0)
    }

    /// Patterns that one filter may name.
    public static let mostSparse = 4

    /// The lookup of who knows no repository.
    public static func noPatterns(_ name: ByteString) throws(StoreError) -> SparsePatterns {
        throw SparsePatterns.inaccessible(name)
    }

    /// Filters that may stand one in another.
    private static let deepest = 16

    private mutating func apply(
        _ text: ByteString, _ patterns: SparseLookup, nesting: Int
    ) throws(StoreError) {
        func value(_ prefix: ByteString) -> ByteString? {
            text.hasPrefix(prefix) ? text.dropFirst(prefix.count) : nil
        }
        if text == "blob:none" {
            blobLimit = 0
        } else if let limit = value("blob:limit="), let size = Self.size(limit) {
            blobLimit = min(blobLimit, size)
        } else if let depth = value("tree:") {
            guard let depth = Self.size(depth) else {
                throw StoreError(.invalid, "expected 'tree:<depth>'")
            }
            self.depth = min(self.depth, depth)
        } else if let name = value("object:type=") {
            guard let kind = ObjectKind(name: name.bytes) else {
                throw StoreError(
                    .invalid, "'\(name)' for 'object:type=<type>' is not a valid object type")
            }
            kinds.formIntersection([kind])
        } else if value("sparse:path=") != nil {
            throw StoreError(.invalid, "sparse:path filters support has been dropped")
        } else if let name = value("sparse:oid=") {
            guard sparse.count < Self.mostSparse else {
                throw StoreError(.invalid, "more than \(Self.mostSparse) sparse filters in one")
            }
            sparse.append(try patterns(name))
        } else if let parts = value("combine:") {
            try applyAll(parts, patterns, nesting + 1)
        } else {
            throw StoreError(.invalid, "invalid filter-spec '\(text)'")
        }
    }

    private mutating func applyAll(
        _ parts: ByteString, _ patterns: SparseLookup, _ nesting: Int
    ) throws(StoreError) {
        guard !parts.isEmpty else {
            throw StoreError(.invalid, "expected something after combine:")
        }
        guard nesting <= Self.deepest else {
            throw StoreError(.limit, "more than \(Self.deepest) filters one in another")
        }
        var list = parts.split(UInt8(ascii: "+"))
        // A plus sign at the end parts nothing.
        if list.count > 1, list.last == "" {
            list.removeLast()
            list[list.count - 1] = list[list.count - 1] + "+"
        }
        for part in list {
            try apply(try Self.decoded(part), patterns, nesting: nesting)
        }
    }

    /// What has to be percent-encoded, beside controls and spaces.
    private static let reserved: ByteString = "~!@#$^&*()[]{}\\;\",<>?'`"

    private static func decoded(_ part: ByteString) throws(StoreError) -> ByteString {
        for byte in part.bytes where byte <= 0x20 || reserved.bytes.contains(byte) {
            throw StoreError(
                .invalid, "must escape char in sub-filter-spec: '\(ByteString([byte]))'")
        }
        var bytes: [UInt8] = []
        var rest = part.bytes[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let high = hexDigit(rest[rest.startIndex]),
                let low = hexDigit(rest[rest.startIndex + 1])
            {
                bytes.append(high << 4 | low)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return ByteString(bytes)
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30 ... 0x39: byte - 0x30
        case 0x41 ... 0x46: byte - 0x41 + 10
        case 0x61 ... 0x66: byte - 0x61 + 10
        default: nil
        }
    }

    /// A number in decimal, with k, m or g for powers of 1,024; nil for anything else.
    private static func size(_ text: ByteString) -> UInt64? {
        var digits = text.bytes[...]
        var unit: UInt64 = 1
        switch digits.last {
        case UInt8(ascii: "k"), UInt8(ascii: "K"): unit = 1 << 10
        case UInt8(ascii: "m"), UInt8(ascii: "M"): unit = 1 << 20
        case UInt8(ascii: "g"), UInt8(ascii: "G"): unit = 1 << 30
        default: break
        }
        if unit > 1 { digits = digits.dropLast() }
        guard !digits.isEmpty, digits.allSatisfy({ $0 &- 0x30 < 10 }),
            let number = UInt64(String(decoding: digits, as: UTF8.self))
        else { return nil }
        let (product, overflow) = number.multipliedReportingOverflow(by: unit)
        return overflow ? nil : product
    }
}
