package import GitCore
package import GitStore

/// Has packs from elsewhere than the repository.
package protocol PackSource: Sendable {
    /// Hands over the pack that is asked for, as it comes; false where it has none, and nothing was handed
    /// over.
    func send(_ pack: PackRequest, to receiver: PackReceiver) throws -> Bool
}

/// Takes a pack on its way to a client, from any one thread at a time.
package struct PackReceiver: Sendable {
    private let sender: PackSender

    init(_ sender: PackSender) { self.sender = sender }

    /// - Throws: ``StoreError/Code/cancelled`` where nobody wants it any more.
    package func take(_ bytes: ArraySlice<UInt8>) throws(StoreError) {
        try bytes.span.withUnsafeBytes { piece throws(StoreError) in try sender.send(piece) }
    }

    /// Words for the person.
    package func show(_ text: ByteString) { sender.show(text) }
}
