import FuzzSupport
import GitCore

@testable import GitWire

/// A decoder, and what it makes of bytes, as text to be compared.
enum Subject {
    case lines
    case advertisement(AdvertisementDecoder.Source)
    case refs
    case fetch(FetchExchange)

    init(_ number: UInt8, _ oid: ObjectID) {
        switch number & 15 {
        case 0: self = .lines
        case 1: self = .advertisement(.http(service: "git-upload-pack"))
        case 2: self = .advertisement(.connection)
        case 3: self = .refs
        default: self = Self.fetch(number, oid)
        }
    }

    /// What comes of the bytes, told as the lines of a text; the last says how it ended.
    func understood(_ pieces: [[UInt8]]) -> [String] {
        var told = Told()
        do throws(WireError) {
            switch self {
            case .lines: try readLines(pieces, &told)
            case .advertisement(let source): try readAdvertisement(source, pieces, &told)
            case .refs: try readRefs(pieces, &told)
            case .fetch(let exchange): try readFetch(exchange, pieces, &told)
            }
        } catch {
            expect(!error.message.utf8.contains { $0 < 0x20 || $0 == 0x7f }, error.message)
            told.say("error \(error.code.name): \(error.message)")
        }
        return told.text
    }

    private static let limits: WireLimits = {
        var limits = WireLimits()
        limits.refs = 20
        limits.advertisementBytes = 4_000
        limits.capabilities = 20
        limits.responseLines = 30
        limits.progressBytes = 2_000
        return limits
    }()

    // MARK: Decoders

    private func readLines(_ pieces: [[UInt8]], _ told: inout Told) throws(WireError) {
        var decoder = PktLineDecoder()
        for piece in pieces {
            decoder.push(piece)
            while let line = try decoder.next() { told.say("\(line) to \(decoder.offset)") }
        }
        try decoder.checkBetweenLines()
    }

    private func readAdvertisement(
        _ source: AdvertisementDecoder.Source, _ pieces: [[UInt8]], _ told: inout Told
    ) throws(WireError) {
        var decoder = AdvertisementDecoder(source, limits: Self.limits)
        for piece in pieces { try decoder.push(piece) }
        let result = try decoder.finish()
        told.say("version \(result.version) \(result.objectFormat) \(result.shallow)")
        told.say("\(result.capabilities)")
        if let refs = result.refs { told.say(refs) }
    }

    private func readRefs(_ pieces: [[UInt8]], _ told: inout Told) throws(WireError) {
        var decoder = LsRefsDecoder(Server.v2, limits: Self.limits)
        for piece in pieces { try decoder.push(piece) }
        told.say(try decoder.finish())
    }

    private func readFetch(
        _ exchange: FetchExchange, _ pieces: [[UInt8]], _ told: inout Told
    ) throws(WireError) {
        var decoder = exchange.makeDecoder(limits: Self.limits)
        var text = ProgressText()
        for piece in pieces {
            decoder.push(piece)
            while let event = try decoder.next() {
                switch event {
                case .pack(let bytes): told.append(pack: bytes)
                case .progress(let bytes): told.say(text.push(bytes))
                case .common, .ready, .shallow, .unshallow, .wantedRef, .packfileURI:
                    told.say("\(event)")
                }
            }
        }
        let outcome = try decoder.finish()
        told.say([text.finish()].compactMap { $0 })
        told.say("\(outcome)")
    }

    // MARK: Requests

    /// A request of which each bit of `number` changes something; that which it may not be falls back
    /// to the plainest.
    private static func fetch(_ number: UInt8, _ oid: ObjectID) -> Subject {
        let oid = oid.isZero ? Server.someOID : oid
        var request = FetchRequest(wants: [oid])
        request.haves = [oid]
        request.isDone = number & 16 != 0
        request.shallow = [oid]
        if number & 32 != 0 { request.deepen = .to(depth: 1) }
        let server = [Server.v2, Server.v0, Server.v0Plain, Server.v2][Int(number & 3)]
        if server.version == .v2 {
            request.sidebandAll = number & 64 != 0
            request.waitForDone = number & 128 != 0
            if number & 3 == 3 {
                request.wantRefs = [.head]
                request.packfileURIProtocols = ["https"]
            }
        }
        do { return .fetch(try request.encoded(for: server)) } catch {
            fatalError("\(error)")
        }
    }
}

/// Text line by line; a pack's bytes, which come in pieces of any size, as one line.
private struct Told {
    private var lines: [String] = []
    private var pack: [UInt8] = []

    var text: [String] { lines + (pack.isEmpty ? [] : ["pack \(pack)"]) }

    mutating func say(_ line: String) { lines.append(line) }
    mutating func append(pack bytes: ArraySlice<UInt8>) {
        expect(!bytes.isEmpty, "a piece of a pack with nothing in it")
        pack += bytes
    }

    mutating func say(_ progress: [ProgressLine]) {
        for line in progress {
            expect(!line.text.utf8.contains { $0 < 0x20 && $0 != 9 }, "not printable: \(line)")
            say("\(line)")
        }
    }

    mutating func say(_ refs: AdvertisedRefs) {
        expect(Set(refs.refs.map(\.name)).count == refs.refs.count, "a name twice")
        expect(!refs.refs.contains { $0.oid.isZero }, "an id of zeros")
        say("\(refs.refs) \(refs.head) \(refs.skippedNames) \(refs.skippedCount)")
    }
}

/// Servers of which something is asked.
private enum Server {
    static let someOID = ObjectID(raw: [UInt8](repeating: 0xaa, count: 20).span, .sha1)

    static let v2 = advertisement(
        .v2,
        "version ls-refs=unborn "
            + "fetch=shallow\u{1f}filter\u{1f}ref-in-want\u{1f}sideband-all\u{1f}wait-for-done\u{1f}packfile-uris"
    )
    static let v0 = advertisement(
        .v0, "multi_ack_detailed no-done side-band-64k thin-pack ofs-delta shallow")
    static let v0Plain = advertisement(.v0, "ofs-delta multi_ack shallow")

    private static func advertisement(_ version: ProtocolVersion, _ list: String) -> Advertisement {
        var capabilities = Capabilities()
        do {
            for item in list.split(separator: " ") {
                let item = String(item.map { $0 == "\u{1f}" ? " " : $0 })
                try capabilities.append(ByteString(item))
            }
        } catch {
            fatalError("\(error)")
        }
        return Advertisement(
            version: version, capabilities: capabilities, objectFormat: .sha1, refs: nil,
            shallow: [])
    }
}
