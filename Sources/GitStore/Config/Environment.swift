public import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// The environment variables that configuration and identity are read from: the process's, or a set
/// of one's own (a server's, a test's).
public struct Environment: Sendable {
    private let look: @Sendable (String) -> ByteString?

    /// The variables of this process, as they are when asked for.
    public static let process = Environment { name in
        getenv(name).map { value in
            ByteString(UnsafeRawBufferPointer(start: value, count: strlen(value)))
        }
    }

    /// These variables and no others.
    public init(_ variables: [String: ByteString]) { self.init { variables[$0] } }

    private init(_ look: @escaping @Sendable (String) -> ByteString?) { self.look = look }

    public subscript(_ name: String) -> ByteString? { look(name) }

    /// A variable that says yes or no, as Git reads one; nil when it is not set.
    public func bool(_ name: String) throws(StoreError) -> Bool? {
        guard let text = self[name] else { return nil }
        guard let value = ConfigValue.bool(text) else {
            throw StoreError(.invalid, "bad boolean environment value '\(text)' for '\(name)'")
        }
        return value
    }
}
