// Side-band (gitprotocol-capabilities, "side-band, side-band-64k"; gitprotocol-v2, "fetch"): the
// payload of a pkt-line is
//
//     1 byte          the band
//     the rest        that band's data: up to 65,515 bytes
//
//     band 1          pack data; with `sideband-all`, a line of the answer
//     band 2          progress, for a person
//     band 3          the server's last words: a fatal error
//
// Bands 1 and 2 may be empty: servers send such packets to keep the connection alive.

/// Takes multiplexed pkt-lines apart.
struct SideBand {
    enum Packet {
        /// Band 1: a whole payload, or a piece of one, as was asked.
        case data(ArraySlice<UInt8>, at: UInt64)
        /// Band 2: a whole payload.
        case progress(ArraySlice<UInt8>)
        case flush
        case delim
    }

    private enum Band: UInt8 {
        case data = 1
        case progress = 2
        case error = 3
        /// Not a band: the first letter of `ERR`, which a server may send in place of any packet.
        case errorPacket = 0x45
    }

    /// That of the line that is being read.
    private var band: Band?

    /// The next packet; nil where more bytes are needed.
    ///
    /// - Parameter inPieces: whether band 1 is handed out as it comes, not packet by packet.
    /// - Throws: ``WireError/Code/server`` for band 3; ``WireError/Code/malformed`` for an empty
    ///   packet, and a band that is none.
    mutating func next(
        _ packets: inout PktLineDecoder, inPieces: Bool
    ) throws(WireError) -> Packet? {
        switch try packets.nextFrame() {
        case nil: return nil
        case .flush: return .flush
        case .delim: return .delim
        case .responseEnd: throw .malformed("unexpected response-end packet", at: packets.lineStart)
        case .data: break
        }
        if band == nil { band = try readBand(&packets) }
        guard let band else { return nil }
        let start = packets.offset
        let streams = inPieces && band == .data
        guard let payload = streams ? packets.payloadPiece() : packets.wholePayload() else {
            return nil
        }
        if packets.payloadLeft == nil { self.band = nil }
        switch band {
        case .data: return .data(payload, at: start)
        case .progress: return .progress(payload)
        case .error: throw WireError(remote: payload)
        case .errorPacket:
            guard payload.starts(with: "RR ".utf8) else {
                throw .malformed("unknown side-band \(band.rawValue)", at: start)
            }
            throw WireError(remote: payload.dropFirst(3))
        }
    }

    private func readBand(_ packets: inout PktLineDecoder) throws(WireError) -> Band? {
        guard packets.payloadLeft != 0 else {
            throw .malformed("empty side-band packet", at: packets.offset)
        }
        guard let number = packets.payloadByte() else { return nil }
        guard let band = Band(rawValue: number) else {
            throw .malformed("unknown side-band \(number)", at: packets.offset)
        }
        return band
    }
}
