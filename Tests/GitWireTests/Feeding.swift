import GitCore

@testable import GitWire

/// The ways in which a stream may be cut into chunks.
enum Feeding: CaseIterable, Sendable {
    case whole, byteByByte, bySevens

    func chunks(_ bytes: [UInt8]) -> [[UInt8]] {
        let size =
            switch self {
            case .whole: max(bytes.count, 1)
            case .byteByByte: 1
            case .bySevens: 7
            }
        return stride(from: 0, to: bytes.count, by: size).map {
            Array(bytes[$0 ..< min($0 + size, bytes.count)])
        }
    }
}

/// A pkt-line with `text`, which may hold any bytes.
func pkt(_ text: String) -> [UInt8] { pkt(Array(text.utf8)) }

func pkt(_ payload: [UInt8]) -> [UInt8] {
    let hex = String(payload.count + 4, radix: 16)
    return Array((String(repeating: "0", count: 4 - hex.count) + hex).utf8) + payload
}

let flush = Array("0000".utf8)
let delim = Array("0001".utf8)

/// Everything that an answer to a fetch told.
struct Answer: Equatable {
    var common: [ObjectID] = []
    var isReady = false
    var shallow: [ObjectID] = []
    var unshallow: [ObjectID] = []
    var wantedRefs: [RefName: ObjectID] = [:]
    var uris: [PackfileURI] = []
    var pack: [UInt8] = []
    var progress: [UInt8] = []
    var outcome: FetchOutcome = .continues(isReady: false)

    init(
        _ exchange: FetchExchange, _ bytes: [UInt8], _ feeding: Feeding = .whole,
        limits: WireLimits = .standard
    ) throws(WireError) {
        var decoder = exchange.makeDecoder(limits: limits)
        for chunk in feeding.chunks(bytes) {
            decoder.push(chunk)
            while let event = try decoder.next() {
                switch event {
                case .common(let oid): common.append(oid)
                case .ready: isReady = true
                case .shallow(let oid): shallow.append(oid)
                case .unshallow(let oid): unshallow.append(oid)
                case .wantedRef(let name, let oid): wantedRefs[name] = oid
                case .packfileURI(let uri): uris.append(uri)
                case .pack(let piece): pack += piece
                case .progress(let text): progress += text
                }
            }
        }
        outcome = try decoder.finish()
    }
}

func decodeAdvertisement(
    _ bytes: [UInt8], _ feeding: Feeding = .whole,
    _ source: AdvertisementDecoder.Source = .http(service: "git-upload-pack"),
    limits: WireLimits = .standard
) throws(WireError) -> Advertisement {
    var decoder = AdvertisementDecoder(source, limits: limits)
    for chunk in feeding.chunks(bytes) { try decoder.push(chunk) }
    return try decoder.finish()
}

func decodeLsRefs(
    _ bytes: [UInt8], _ advertisement: Advertisement, _ feeding: Feeding = .whole,
    limits: WireLimits = .standard
) throws(WireError) -> AdvertisedRefs {
    var decoder = LsRefsDecoder(advertisement, limits: limits)
    for chunk in feeding.chunks(bytes) { try decoder.push(chunk) }
    return try decoder.finish()
}

/// The code of the error that `body` throws; nil if it throws none.
func code(_ body: () throws(WireError) -> Void) -> WireError.Code? {
    do {
        try body()
        return nil
    } catch {
        return error.code
    }
}

extension Advertisement {
    /// A version 2 server with these features of `fetch`.
    static func v2(
        fetch features: String = "", others: [String] = [], format: ObjectFormat = .sha1
    ) throws -> Advertisement {
        var capabilities = Capabilities()
        try capabilities.append("ls-refs=unborn")
        try capabilities.append(ByteString(features.isEmpty ? "fetch" : "fetch=" + features))
        for other in others { try capabilities.append(ByteString(other)) }
        return Advertisement(
            version: .v2, capabilities: capabilities, objectFormat: format, refs: nil, shallow: [])
    }

    static func v0(_ list: String, format: ObjectFormat = .sha1) throws -> Advertisement {
        Advertisement(
            version: .v0, capabilities: try Capabilities(spaceSeparated: ByteString(list)),
            objectFormat: format, refs: nil, shallow: [])
    }
}

/// Ids for hand-written answers.
let oidA = ObjectID(raw: Array(repeating: 0xaa, count: 20).span, .sha1)
let oidB = ObjectID(raw: Array(repeating: 0xbb, count: 20).span, .sha1)
let oidC = ObjectID(raw: Array(repeating: 0xcc, count: 20).span, .sha1)
