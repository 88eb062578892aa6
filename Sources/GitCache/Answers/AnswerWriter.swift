import GitCore
import GitStore
import Synchronization

/// Writes an answer that was not there, for all who ask for the same meanwhile. One thread writes, and it
/// reads none of the readers.
///
/// No failure of the disk, and no want of room on it, is an error here: the answer is then not kept
/// (``isKept``), and goes on to those who follow through a bounded piece of memory. Only then does
/// ``append(_:)`` wait for them.
///
/// Let go of without its end, the answer is abandoned.
package final class AnswerWriter: Sendable {
    private struct Progress {
        var hasher = PlainHasher(.sha1)
        var isKept = true
        /// No more bytes come.
        var isWhole = false
        var hasEnded = false
        /// Bytes until it is looked again how much room the file system has.
        var untilSpaceCheck = 0
    }

    private let store: AnswerStore
    private let growing: GrowingAnswer
    private let progress = Mutex(Progress())

    private static let spaceCheckInterval = 16 << 20
    /// When the disk is full so many bytes are freed at least, if there are answers to evict.
    private static let spaceStep: UInt64 = 16 << 20

    init(_ store: AnswerStore, _ growing: GrowingAnswer) {
        self.store = store
        self.growing = growing
        do throws(StoreError) {
            let file = try store.folder.create(growing.file.serial)
            _ = growing.content.storeIfNil(OpenFile(file))
        } catch { progress.withLock { stopKeeping(&$0) } }
    }

    deinit { abandon(CacheError(.abandoned, "the answer was not finished")) }

    /// Whether the answer is, or is still to be, found by later look-ups.
    package var isKept: Bool { progress.withLock { $0.isKept } }

    /// How many follow it now. The one who made the writer is one of them only with a ``reader()``.
    package var followers: Int { growing.followers }

    /// Whether there is a reason to go on: somebody follows, or ``AnswerStore/Options/goesOnAlone``.
    package var isWanted: Bool { store.options.goesOnAlone || followers > 0 }

    /// Follows the answer that this writes. To be made before the first ``append(_:)``.
    package func reader() -> AnswerReader { AnswerReader(growing) }

    /// Adds bytes to the answer; those who follow can read them from now on.
    package func append(_ bytes: UnsafeRawBufferPointer) {
        let isDone = progress.withLock { progress in
            if progress.isWhole || progress.hasEnded || bytes.isEmpty { return true }
            guard progress.isKept else { return false }
            guard write(bytes, &progress) else {
                stopKeeping(&progress)
                return false
            }
            progress.hasher.update(bytes)
            growing.grow(bytes.count)
            return true
        }
        if !isDone { pass(bytes) }
    }

    package func append(_ bytes: [UInt8]) { bytes.withUnsafeBytes { append($0) } }

    /// Says that the answer is whole: those who follow, and who come to it, have it to its end. Whether it is
    /// kept is still open.
    package func end() {
        progress.withLock { progress in
            if progress.isWhole || progress.hasEnded { return }
            progress.isWhole = true
            growing.end(.finished)
        }
    }

    /// Ends the answer: it is whole. After that ``isKept`` says whether it was kept.
    package func finish() {
        progress.withLock { progress in
            if progress.hasEnded { return }
            progress.hasEnded = true
            growing.end(.finished)
            guard progress.isKept else { return }
            let checksum = progress.hasher.finalize()
            progress.isKept = store.keep(growing, checksum: ByteString(checksum.rawBytes))
        }
    }

    /// Gives the answer up. Those who have read nothing of it are told to ask anew; the others get this
    /// error. After ``end()`` they have it, and it is only not kept.
    package func abandon(_ error: CacheError) {
        progress.withLock { progress in
            if progress.hasEnded { return }
            progress.hasEnded = true
            store.catalog.forget(growing)
            growing.end(.abandoned(error))
            guard progress.isKept else { return }
            progress.isKept = false
            store.removeNew(growing.file)
        }
    }

    /// Gives the answer up if there is no reason to go on (``isWanted``), and says whether that is so. Nobody
    /// can come to follow it in between.
    package func abandonIfUnwanted() -> Bool {
        let error = CacheError(.abandoned, "nobody waits for the answer")
        guard !store.options.goesOnAlone, growing.endIfAlone(error) else { return false }
        abandon(error)
        return true
    }

    // MARK: On disk

    private func write(_ bytes: UnsafeRawBufferPointer, _ progress: inout Progress) -> Bool {
        let room = store.catalog.reserve(UInt64(bytes.count), for: growing.file)
        store.discard(room.evicted)
        guard room.isGranted, hasSpace(bytes.count, &progress),
            let content = growing.content.load()
        else { return false }
        let offset = growing.length.load(ordering: .relaxed)
        do throws(StoreError) {
            try content.file.write(bytes, at: offset)
        } catch {
            guard AnswerStore.isFull(error),
                store.makeRoom(max(UInt64(bytes.count), Self.spaceStep))
            else { return false }
            return (try? content.file.write(bytes, at: offset)) != nil
        }
        return true
    }

    private func hasSpace(_ count: Int, _ progress: inout Progress) -> Bool {
        progress.untilSpaceCheck -= count
        if progress.untilSpaceCheck > 0 { return true }
        progress.untilSpaceCheck = Self.spaceCheckInterval
        return store.hasSpace(count)
    }

    private func stopKeeping(_ progress: inout Progress) {
        progress.isKept = false
        store.catalog.forget(growing)
        store.catalog.countFailure()
        growing.stopKeeping()
        store.removeNew(growing.file)
    }

    // MARK: Past the disk

    private func pass(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let taken = growing.pass(rest)
            if taken == 0 { growing.waitForRoom(patience: store.options.patience) }
            rest = rest.dropFirst(taken)
        }
    }
}
