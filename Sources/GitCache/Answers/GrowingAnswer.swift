import GitCore
import GitStore
import Synchronization

/// What the writer of an answer and those who follow it share.
///
/// As long as the answer is kept, its bytes are in the file: who follows reads them there, without a lock,
/// up to ``length``, and waits only where there are no more. The writer waits for nobody.
///
/// Once it cannot be kept (the disk is full, say) the file gets no more. What comes then goes through
/// ``State/tail``, a bounded piece of memory, and the writer waits for who is behind: nobody who was there
/// fails for a full disk, but the slowest of them sets the pace. Who holds up the others for long is left
/// behind, and nobody new is let in.
final class GrowingAnswer: Sendable {
    struct State {
        /// Whether all bytes so far are in the file.
        var isKept = true
        /// What follows the file's part once the answer is not kept.
        var tail: [UInt8] = []
        /// The offset in the answer of the tail's first byte.
        var tailStart: UInt64 = 0
        var end: End?
        var readers: [ObjectIdentifier: ReaderPlace] = [:]
        /// Milliseconds that the writer waited for readers, and where they were when that began.
        var waited = 0
        var before: [ObjectIdentifier: UInt64] = [:]

        var isAbandoned: Bool { if case .abandoned? = end { true } else { false } }

        /// Whether nobody follows, and it was not finished before that.
        var isAlone: Bool {
            if case .finished? = end { return false }
            return !readers.values.contains(where: \.isReading)
        }
    }

    enum End {
        case finished
        case abandoned(CacheError)
    }

    let use: AnswerUse
    let state: Monitor<State>
    /// The file, before it has a byte; nil where it could not be made.
    let content = AtomicLazyReference<OpenFile>()
    /// Bytes in the file that can be read.
    let length = Atomic<UInt64>(0)
    /// As many as those who wait were told of.
    private let told = Atomic<UInt64>(0)
    /// They are told of so many more. To be woken for each few took a third of the time of 32 that followed a fast
    /// writer; who follows a slow one looks up by itself.
    private static let portion: UInt64 = 1 << 20
    /// Whether the tail is in use, so that the writer has to know of each step of a reader.
    let isPassing = Atomic(false)
    let isAbandoned = Atomic(false)
    private let tailLimit: Int

    var file: AnswerFile { use.file }

    init(_ use: AnswerUse, tailLimit: Int) {
        self.use = use
        self.tailLimit = tailLimit
        state = Monitor(State())
    }

    // MARK: The writer's side

    /// So many more bytes are in the file.
    func grow(_ count: Int) {
        let now = length.wrappingAdd(UInt64(count), ordering: .releasing).newValue
        let told = told.load(ordering: .relaxed)
        guard told == 0 || now - told >= Self.portion else { return }
        self.told.store(now, ordering: .relaxed)
        state.change { _ in }
    }

    /// From here on nothing goes into the file.
    func stopKeeping() {
        state.change { state in
            state.isKept = false
            state.tailStart = length.load(ordering: .relaxed)
            isPassing.store(true, ordering: .sequentiallyConsistent)
        }
    }

    /// Takes bytes into the tail, as many as it has room for; all, where nobody reads.
    func pass(_ bytes: UnsafeRawBufferPointer.SubSequence) -> Int {
        state.change { state in
            guard let slowest = Self.slowest(state) else {
                state.tailStart += UInt64(state.tail.count) + UInt64(bytes.count)
                state.tail = []
                return bytes.count
            }
            let read = slowest > state.tailStart ? slowest - state.tailStart : 0
            let spent = Int(min(read, UInt64(state.tail.count)))
            state.tail.removeFirst(spent)
            state.tailStart += UInt64(spent)
            let taken = min(bytes.count, tailLimit - state.tail.count)
            state.tail += bytes.prefix(taken)
            return taken
        }
    }

    /// Waits until a part of the full tail is read by all. Those for whom it has waited `patience`
    /// milliseconds by now, in which they did not read as much as the tail holds, are left behind.
    func waitForRoom(patience: Int) {
        let waited = state.change { state in
            if state.waited == 0 { state.before = state.readers.mapValues(\.value) }
            return state.waited
        }
        let start = millisecondsSinceStart()
        _ = state.wait(milliseconds: max(1, patience - waited)) { state in
            Self.slowest(state).map { $0 >= roomEnd(state) } ?? true
        }
        let elapsed = max(1, millisecondsSinceStart() - start)
        state.change { state in
            state.waited += elapsed
            guard state.waited >= patience else { return }
            state.waited = 0
            for (id, place) in state.readers where place.value < roomEnd(state) {
                guard let before = state.before[id], place.value - before < UInt64(tailLimit)
                else { continue }
                place.isLeftBehind.store(true, ordering: .relaxed)
            }
        }
    }

    /// Where all have to be for it to be worth while to move the rest of the tail.
    private func roomEnd(_ state: State) -> UInt64 {
        state.tailStart + UInt64(max(1, tailLimit / 4))
    }

    private static func slowest(_ state: State) -> UInt64? {
        state.readers.values.lazy.filter(\.isReading).map(\.value).min()
    }

    func end(_ end: End) {
        state.change { state in
            guard state.end == nil else { return }
            state.end = end
            if case .abandoned = end { isAbandoned.store(true, ordering: .releasing) }
        }
    }

    /// Ends it if nobody follows; whoever comes from here on is told to ask anew. Says whether it did, now or
    /// before.
    func endIfAlone(_ error: CacheError) -> Bool {
        // Asked at each step of the writer: nobody is to be woken for that.
        guard state.look({ $0.isAlone || $0.isAbandoned }) else { return false }
        return state.change { state in
            if state.isAbandoned { return true }
            guard state.isAlone else { return false }
            state.end = .abandoned(error)
            isAbandoned.store(true, ordering: .releasing)
            return true
        }
    }

    // MARK: The readers' side

    func add(_ place: ReaderPlace) {
        state.change { $0.readers[ObjectIdentifier(place)] = place }
    }

    func remove(_ place: ReaderPlace) {
        state.change { $0.readers[ObjectIdentifier(place)] = nil }
    }

    /// Those who follow and were neither cancelled nor left behind.
    var followers: Int {
        state.look { state in state.readers.values.lazy.filter(\.isReading).count }
    }
}

/// A file that is closed when nobody refers to it any more.
final class OpenFile: Sendable {
    let file: File
    init(_ file: consuming File) { self.file = file }
}

/// How far a reader is.
final class ReaderPlace: Sendable {
    let position = Atomic<UInt64>(0)
    let isCancelled = Atomic(false)
    let isLeftBehind = Atomic(false)

    var value: UInt64 { position.load(ordering: .sequentiallyConsistent) }

    var isReading: Bool {
        !isCancelled.load(ordering: .relaxed) && !isLeftBehind.load(ordering: .relaxed)
    }
}
