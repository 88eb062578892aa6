public import GitCore

/// A user name and a password, or a token in its place. No description shows the password.
public struct Credential: Hashable, Sendable {
    public var username: ByteString
    public var password: ByteString

    public init(username: ByteString, password: ByteString) {
        self.username = username
        self.password = password
    }

    /// The value of an `Authorization` header (RFC 7617).
    var basicAuthorization: ByteString {
        ByteString("Basic ") + ByteString((username + ":" + password).bytes.base64)
    }
}

extension Credential: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "credential of '\(username.printable)'" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: ["username": username.printable]) }
}

/// For what a credential is wanted.
public struct CredentialRequest: Hashable, Sendable {
    /// The repository's URL, without user and password.
    public let url: GitURL
    /// The user that the URL named, if it did.
    public let username: ByteString?

    public init(url: GitURL, username: ByteString? = nil) {
        self.url = url
        self.username = username
    }
}

/// Where user names and passwords come from: ``GitCredentialHelpers``, or what a program puts in its
/// place.
public protocol CredentialProvider: Sendable {
    /// A credential to try; nil where there is none. Asked for after the server refused to answer
    /// without one.
    func credential(for request: CredentialRequest) async throws(ClientError) -> Credential?
    /// The server accepted this credential: it may be remembered.
    func approve(_ credential: Credential, for request: CredentialRequest) async
    /// The server refused this credential: it is to be forgotten.
    func reject(_ credential: Credential, for request: CredentialRequest) async
}

/// Has no credential for anything.
public struct NoCredentials: CredentialProvider {
    public init() {}
    public func credential(for request: CredentialRequest) -> Credential? { nil }
    public func approve(_ credential: Credential, for request: CredentialRequest) {}
    public func reject(_ credential: Credential, for request: CredentialRequest) {}
}
