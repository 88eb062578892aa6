/// Why a test could not do what it set out to do: something is missing, hung or broken around it.
public struct TestFailure: Error, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
}
