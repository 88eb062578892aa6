import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// What the operating system knows about a user.
struct Account: Sendable {
    let name: ByteString
    /// The full name and more, divided by commas; `&` stands for the user's name.
    let gecos: ByteString
    let home: ByteString

    /// The user that this process acts as.
    static var current: Account? {
        let user = geteuid()
        return Account { entry, buffer, size, found in
            getpwuid_r(user, entry, buffer, size, found)
        }
    }

    init?(named name: ByteString) {
        guard !name.bytes.contains(0) else { return nil }
        self.init { entry, buffer, size, found in
            name.withCString { getpwnam_r($0, entry, buffer, size, found) }
        }
    }

    private typealias Look = (
        UnsafeMutablePointer<passwd>, UnsafeMutablePointer<CChar>, Int,
        UnsafeMutablePointer<UnsafeMutablePointer<passwd>?>
    ) -> Int32

    private init?(_ look: Look) {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        // SAFETY: `entry` points into the buffer, and is read before the buffer goes.
        let account: (name: ByteString, gecos: ByteString, home: ByteString)? =
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: Self.bufferSize) { buffer in
                guard let base = buffer.baseAddress,
                    look(&entry, base, buffer.count, &found) == 0, found != nil
                else { return nil }
                return (
                    Self.text(entry.pw_name), Self.text(entry.pw_gecos), Self.text(entry.pw_dir)
                )
            }
        guard let account else { return nil }
        (name, gecos, home) = account
    }

    /// Room for one line of the password file, in bytes.
    private static let bufferSize = 16_384

    private static func text(_ chars: UnsafeMutablePointer<CChar>?) -> ByteString {
        guard let chars else { return "" }
        return ByteString(UnsafeRawBufferPointer(start: chars, count: strlen(chars)))
    }
}
