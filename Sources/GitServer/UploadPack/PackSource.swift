package import GitCore
package import GitStore

/// Has packs from elsewhere than the repository.
package protocol PackSource: Sendable {
    /// Sees to it that the pack can be sent; called before the first byte of the answer. May wait, but for
    /// long only in ``OpenPack/wait``.
    ///
    /// - Parameter isUnwanted: whether nobody waits for the pack any more.
    /// - Throws: ``StatusRefusal`` and other errors that are ``BeforeAnswer``.
    func open(_ pack: PackRequest, isUnwanted: @escaping @Sendable () -> Bool) throws -> OpenPack
}

/// A pack that can be sent.
package struct OpenPack {
    /// What is to be waited for yet, while the client gets signs of life; nil for nothing.
    ///
    /// - Throws: ``Refusal``, `StoreError`.
    let wait: (() throws -> Void)?
    /// Hands over the pack as it comes; nil where it is made of the repository.
    let send: ((PackReceiver) throws -> Void)?
    /// Called once the whole answer was sent: what it throws, the client is not told, but the answer is not
    /// kept.
    let check: (() throws -> Void)?
    /// Called once, when it was sent or is not to be.
    let close: () -> Void

    package init(
        _ send: ((PackReceiver) throws -> Void)? = nil, wait: (() throws -> Void)? = nil,
        check: (() throws -> Void)? = nil, close: @escaping () -> Void = {}
    ) {
        self.wait = wait
        self.send = send
        self.check = check
        self.close = close
    }
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
