internal import GitCore
internal import GitStore
internal import GitWire

/// Who pushes.
struct Pusher: Sendable {
    /// nil for somebody who has not logged in.
    let user: ByteString?
    /// The address.
    let peer: String

    /// Who stands in the reflogs, as `git http-backend` has it.
    var identity: Identity {
        let name = user ?? "anonymous"
        return Identity(name: name, mail: name + "@http." + ByteString(peer), date: .now)
    }
}

/// receive-pack for one client: what it is shown, and what it pushes.
struct ReceivePackService {
    let served: ServedRepository
    let output: any ServiceOutput
    let ticker: Ticker

    var repository: Repository { served.repository }

    private static let portion = 64 << 10

    private func offer() throws(StoreError) -> ReceivePackOffer {
        let config = repository.config
        var offer = ReceivePackOffer(repository.format, agent: Server.agent)
        offer.atomic = try config.bool("receive.advertiseatomic") ?? true
        offer.pushOptions = try config.bool("receive.advertisepushoptions") ?? false
        offer.ofsDelta = try config.bool("repack.usedeltabaseoffset") ?? true
        return offer
    }

    /// Answers `info/refs`. There is no push in version 2.
    func advertise(_ version: ProtocolVersion) throws {
        var writer = try RefAdvertisementWriter(
            try offer(), version: version == .v1 ? .v1 : .v0, overHTTP: true)
        let hidden = try HiddenRefs(repository.config, section: "receive")
        for ref in try repository.refs.list(prefix: "", peeling: false)
        where !hidden.contains(ref.name.bytes) {
            try writer.ref(ref.name, ref.oid)
            if writer.count >= Self.portion { try output.send(writer.takeBytes()) }
        }
        try writer.end(shallow: try repository.shallowCommits().sorted())
        try output.send(writer.takeBytes())
    }

    /// Takes a push; what it throws, the client has been told.
    ///
    /// - Parameter body: gives the next bytes of the request, nil at its end.
    func take(_ pusher: Pusher, _ body: @escaping () throws -> [UInt8]?) throws {
        let push: IncomingPush
        do { push = try IncomingPush(try offer(), body) } catch {
            if let text = Refusal.text(error) {
                var writer = PktLineWriter()
                writer.error(ByteString(text))
                try output.send(writer.bytes)
            }
            throw error
        }
        guard !push.request.commands.isEmpty else { return }
        try PushRun(self, push, pusher).run()
    }
}

/// A push as it arrives: what is asked for, then the bytes of its pack.
final class IncomingPush {
    let request: PushRequest
    private var decoder: PushRequestDecoder
    private let body: () throws -> [UInt8]?

    /// Reads up to the pack.
    init(_ offer: ReceivePackOffer, _ body: @escaping () throws -> [UInt8]?) throws {
        var decoder = PushRequestDecoder(offer)
        var request: PushRequest?
        while request == nil {
            guard let piece = try body() else { break }
            decoder.push(piece)
            if case .request(let found)? = try decoder.next() { request = found }
        }
        if request == nil { try decoder.finish() }
        guard let request else { throw Refusal("the request ended early") }
        self.request = request
        self.decoder = decoder
        self.body = body
    }

    /// The next bytes of the pack; nil at its end.
    func nextPiece() throws -> ArraySlice<UInt8>? {
        while true {
            if case .pack(let piece)? = try decoder.next() { return piece }
            guard let piece = try body() else {
                try decoder.finish()
                return nil
            }
            decoder.push(piece)
        }
    }
}
