public import GitCore

// Version 0 and 1 (gitprotocol-pack, "Packfile Negotiation"). What a server writes, by mode:
//
//     upon                    none                multi_ack           multi_ack_detailed
//     a have in common        ACK <oid>, once     ACK <oid> continue  ACK <oid> common
//     another, if ready       -                   ACK <oid> continue  ACK <oid> ready
//     a flush packet, if all haves of the round are in common and it is ready
//                             -                   -                   ACK <last common> ready
//     and in any case         NAK, until an ACK   NAK                 NAK
//       then, with no-done, if any ready was written:                 ACK <last common>, pack
//     done, with any common   pack                ACK <last common>, pack
//     done, with none         NAK, pack           NAK, pack           NAK, pack
//
// Ready: enough is in common to make a pack. Without state between requests the answer ends behind a
// flush packet's NAK, unless the pack comes.

/// Decides what a version 0 or 1 server says to a client's haves.
///
///     var acknowledgments = AcknowledgmentsV0(request)
///     for (index, round) in request.rounds.enumerated() {
///         for oid in round { acknowledgments.have(oid, isCommon: …, isReady: …, to: &lines) }
///         if index is the last and request.isDone { acknowledgments.done(to: &lines); pack }
///         else if acknowledgments.flush(isReady: …, to: &lines) { pack } else { the answer ends }
///     }
public struct AcknowledgmentsV0: Sendable {
    private let mode: UploadPackRequest.AcknowledgmentMode
    private let noDone: Bool
    private var lastCommon: ObjectID?
    private var hasSaidReady = false
    /// Of this round.
    private var hasCommon = false
    private var hasOther = false

    public init(_ request: UploadPackRequest) {
        mode = request.acknowledgmentMode
        noDone = request.noDone
    }

    /// The client has `oid`.
    ///
    /// - Parameter isCommon: whether the server has it too.
    /// - Parameter isReady: whether enough is in common to make a pack. Asked only where the answer
    ///   depends on it, and never before something is in common.
    public mutating func have<Failure: Error>(
        _ oid: ObjectID, isCommon: Bool, isReady: () throws(Failure) -> Bool,
        to lines: inout PktLineWriter
    ) throws(Failure) {
        guard !isCommon else { return common(oid, &lines) }
        hasOther = true
        guard mode != .single, lastCommon != nil, try isReady() else { return }
        if mode == .detailed {
            hasSaidReady = true
            lines.line("ACK ", oid, " ready\n")
        } else {
            lines.line("ACK ", oid, " continue\n")
        }
    }

    /// A round ends. Returns whether the pack comes now; else, without state between requests, the
    /// answer ends here.
    ///
    /// - Parameter isReady: as in ``have(_:isCommon:isReady:to:)``.
    public mutating func flush<Failure: Error>(
        isReady: () throws(Failure) -> Bool, to lines: inout PktLineWriter
    ) throws(Failure) -> Bool {
        if mode == .detailed, hasCommon, !hasOther, let lastCommon, try isReady() {
            hasSaidReady = true
            lines.line("ACK ", lastCommon, " ready\n")
        }
        if mode != .single || lastCommon == nil { lines.words("NAK\n") }
        (hasCommon, hasOther) = (false, false)
        guard noDone, hasSaidReady, let lastCommon else { return false }
        lines.line("ACK ", lastCommon, "\n")
        return true
    }

    /// The client is done; the pack comes now.
    public mutating func done(to lines: inout PktLineWriter) {
        guard let lastCommon else { return lines.words("NAK\n") }
        if mode != .single { lines.line("ACK ", lastCommon, "\n") }
    }

    private mutating func common(_ oid: ObjectID, _ lines: inout PktLineWriter) {
        let isFirst = lastCommon == nil
        lastCommon = oid
        hasCommon = true
        switch mode {
        case .detailed: lines.line("ACK ", oid, " common\n")
        case .multi: lines.line("ACK ", oid, " continue\n")
        case .single: if isFirst { lines.line("ACK ", oid, "\n") }
        }
    }
}
