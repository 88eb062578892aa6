import GitCore
import Synchronization

/// In memory: which answers there are, who uses them, what is to go. It touches no file; the files that
/// a call takes off the list are for the caller to remove.
final class AnswerCatalog: Sendable {
    /// What bounds the answers together and each alone.
    struct Limits {
        /// Bytes of all files.
        var budget: UInt64
        /// Bytes of one.
        var largest: UInt64
        /// Whole answers.
        var count: Int
    }

    private struct State {
        var limits: Limits
        var kept: [AnswerKey: AnswerFile] = [:]
        var growing: [AnswerKey: GrowingAnswer] = [:]
        var order = UseOrder()
        /// Last uses that were not written to the database yet, by serial number.
        var touched: [UInt64: UInt64] = [:]
        var lastSerial: UInt64 = 0
        var clock: UInt64 = 0
        /// Bytes of all files, and of those that could be evicted now.
        var bytes: UInt64 = 0
        var evictable: UInt64 = 0
        var statistics = AnswerStatistics()

        init(_ limits: Limits) { self.limits = limits }

        var isBeyondLimits: Bool { bytes > limits.budget || kept.count > limits.count }
    }

    /// What a look-up finds.
    enum Found {
        case kept(AnswerUse)
        case growing(GrowingAnswer)
        /// There was none: this one is the caller's to write.
        case new(GrowingAnswer)
    }

    private let state: Mutex<State>
    private let tailLimit: Int

    init(_ limits: Limits, tailLimit: Int) {
        state = Mutex(State(limits))
        self.tailLimit = tailLimit
    }

    // MARK: Look-ups

    func find(_ key: AnswerKey) -> Found {
        state.withLock { state in
            if let file = state.kept[key] { return .kept(use(file, &state)) }
            if let growing = state.growing[key] {
                state.statistics.follows += 1
                return .growing(growing)
            }
            let growing = makeGrowing(key, &state)
            state.growing[key] = growing
            return .new(growing)
        }
    }

    /// An answer that nobody else will find.
    func makeUnlisted(_ key: AnswerKey) -> GrowingAnswer {
        state.withLock { makeGrowing(key, &$0) }
    }

    private func makeGrowing(_ key: AnswerKey, _ state: inout State) -> GrowingAnswer {
        state.statistics.misses += 1
        state.lastSerial += 1
        let file = AnswerFile(state.lastSerial, key)
        file.uses = 1
        return GrowingAnswer(AnswerUse(file, self), tailLimit: tailLimit)
    }

    /// Counts a look-up that gave a whole answer.
    func countHit() { state.withLock { $0.statistics.hits += 1 } }

    func countFailure() { state.withLock { $0.statistics.failures += 1 } }

    // MARK: Use

    private func use(_ file: AnswerFile, _ state: inout State) -> AnswerUse {
        if file.uses == 0 { state.evictable -= file.size }
        file.uses += 1
        touch(file, &state)
        return AnswerUse(file, self)
    }

    private func touch(_ file: AnswerFile, _ state: inout State) {
        state.clock = max(state.clock + 1, millisecondsSince1970())
        file.lastUse = state.clock
        state.touched[file.serial] = state.clock
        state.order.append(file, live: state.kept.count)
    }

    func release(_ file: AnswerFile) {
        state.withLock { state in
            file.uses -= 1
            guard file.uses == 0 else { return }
            if file.isListed { state.evictable += file.size } else { state.bytes -= file.size }
        }
    }

    /// The last uses since this was called last, by serial number, if there are so many.
    func takeTouched(atLeast count: Int) -> [UInt64: UInt64] {
        state.withLock { state in
            guard state.touched.count >= count else { return [:] }
            defer { state.touched = [:] }
            return state.touched
        }
    }

    // MARK: Room

    /// Counts `count` more bytes for a growing answer; false, and nothing counted, where there can be no
    /// room for them. `evicted` went to make room.
    func reserve(
        _ count: UInt64, for file: AnswerFile
    ) -> (isGranted: Bool, evicted: [AnswerFile]) {
        state.withLock { state in
            let (size, overflows) = file.size.addingReportingOverflow(count)
            let inUse = state.bytes - state.evictable
            guard !overflows, size <= state.limits.largest, inUse <= state.limits.budget,
                count <= state.limits.budget - inUse
            else { return (false, []) }
            file.size = size
            state.bytes += count
            return (true, evict(&state) { $0.bytes > $0.limits.budget })
        }
    }

    /// Sets what bounds all answers and each; gives what is beyond that and not in use.
    func setBudget(_ budget: UInt64, largest: UInt64) -> [AnswerFile] {
        state.withLock { state in
            state.limits.budget = budget
            state.limits.largest = largest
            return evict(&state) { $0.isBeyondLimits }
        }
    }

    /// Takes the answers longest not used off the list, of so many bytes together or more.
    func makeRoom(_ count: UInt64) -> [AnswerFile] {
        state.withLock { state in
            let goal = state.evictable - min(count, state.evictable)
            return evict(&state) { $0.evictable > goal }
        }
    }

    private func evict(_ state: inout State, while isNeeded: (State) -> Bool) -> [AnswerFile] {
        var evicted: [AnswerFile] = []
        // Once round: those in use go to the end.
        var turns = state.order.count
        while turns > 0, isNeeded(state), let file = state.order.popOldest() {
            turns -= 1
            if file.uses > 0 {
                touch(file, &state)
            } else {
                unlist(file, &state)
                evicted.append(file)
            }
        }
        state.statistics.evictions += UInt64(evicted.count)
        return evicted
    }

    private func unlist(_ file: AnswerFile, _ state: inout State) {
        guard file.isListed else { return }
        file.isListed = false
        state.kept[file.key] = nil
        state.touched[file.serial] = nil
        guard file.uses == 0 else { return }
        state.evictable -= file.size
        state.bytes -= file.size
    }

    // MARK: From growing to kept, or to nothing

    func isGrowing(_ growing: GrowingAnswer) -> Bool {
        state.withLock { $0.growing[growing.file.key] === growing }
    }

    /// Lets nobody else find a growing answer.
    func forget(_ growing: GrowingAnswer) {
        state.withLock { state in
            guard state.growing[growing.file.key] === growing else { return }
            state.growing[growing.file.key] = nil
        }
    }

    /// Makes a growing answer, whose file is complete, a kept one; nil if it was removed meanwhile. What
    /// is given had to go for it.
    func keep(_ growing: GrowingAnswer, checksum: ByteString) -> [AnswerFile]? {
        state.withLock { state in
            let file = growing.file
            guard state.growing[file.key] === growing else { return nil }
            state.growing[file.key] = nil
            file.checksum = checksum
            list(file, &state)
            touch(file, &state)
            return evict(&state) { $0.kept.count > $0.limits.count }
        }
    }

    private func list(_ file: AnswerFile, _ state: inout State) {
        file.isListed = true
        state.kept[file.key] = file
    }

    /// Takes a kept answer off the list; false if it was not on it any more.
    func remove(_ file: AnswerFile) -> Bool {
        state.withLock { state in
            defer { unlist(file, &state) }
            return file.isListed
        }
    }

    /// Takes all answers, whole and growing, that `isMeant` says so of, and gives the whole ones.
    func remove(where isMeant: (AnswerKey) -> Bool) -> [AnswerFile] {
        // What is forgotten may end here, which takes the lock again: not before it is given back.
        let (files, forgotten) = state.withLock { state in
            let files = state.kept.values.filter { isMeant($0.key) }
            for file in files { unlist(file, &state) }
            let forgotten = state.growing.filter { isMeant($0.key) }
            for key in forgotten.keys { state.growing[key] = nil }
            return (files, forgotten)
        }
        return withExtendedLifetime(forgotten) { files }
    }

    // MARK: For who looks after them

    var budget: UInt64 { state.withLock { $0.limits.budget } }

    /// The repositories of all answers, whole and growing.
    var repositories: Set<ByteString> {
        state.withLock { state in
            Set(state.kept.keys.map(\.repository) + state.growing.keys.map(\.repository))
        }
    }

    /// The kept answers, of whatever repository.
    var files: [AnswerFile] { state.withLock { Array($0.kept.values) } }

    /// Keeps a file from being evicted without that it counts as use; nil where it was removed.
    func hold(_ file: AnswerFile) -> AnswerUse? {
        state.withLock { state in
            guard file.isListed else { return nil }
            if file.uses == 0 { state.evictable -= file.size }
            file.uses += 1
            return AnswerUse(file, self)
        }
    }

    // MARK: What was found at the start

    /// Takes in what an earlier process kept, of oldest use first, and gives what is beyond the limits
    /// or there twice.
    func load(_ files: [AnswerFile], lastSerial: UInt64) -> [AnswerFile] {
        state.withLock { state in
            var superseded: [AnswerFile] = []
            state.lastSerial = lastSerial
            for file in files {
                if let older = state.kept[file.key] {
                    unlist(older, &state)
                    superseded.append(older)
                }
                list(file, &state)
                state.bytes += file.size
                state.evictable += file.size
                state.clock = max(state.clock + 1, file.lastUse)
                file.lastUse = state.clock
                state.order.append(file, live: state.kept.count)
            }
            return superseded
                + evict(&state) { $0.isBeyondLimits }
        }
    }

    /// What is known of a kept answer's content. Where nothing is, it is for the caller to find out, and
    /// to call ``endCheck(_:_:)``.
    func beginCheck(_ file: AnswerFile, _ verdict: Verdict) -> AnswerFile.Trust {
        state.withLock { _ in
            defer { if case .unchecked = file.trust { file.trust = .checking(verdict) } }
            return file.trust
        }
    }

    func endCheck(_ file: AnswerFile) { state.withLock { _ in file.trust = .checked } }

    /// Bytes and SHA-1 that a kept answer has to have.
    func expectation(_ file: AnswerFile) -> (size: UInt64, checksum: ByteString) {
        state.withLock { _ in (file.size, file.checksum) }
    }

    var statistics: AnswerStatistics {
        state.withLock { state in
            var statistics = state.statistics
            statistics.answers = state.kept.count
            statistics.growing = state.growing.count
            statistics.bytes = state.bytes
            return statistics
        }
    }
}
