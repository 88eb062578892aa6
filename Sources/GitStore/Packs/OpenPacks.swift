internal import GitCore
import Synchronization

/// The pack files of a store that are open: those lately read, no more than ``maximum``. A repository
/// may have more packs than a process may have open files.
final class OpenPacks: Sendable {
    private struct State {
        var readers: [UInt64: (reader: PackReader, lastUse: UInt64)] = [:]
        var clock: UInt64 = 0
    }
    private let state = Mutex(State())

    static let maximum = 128

    /// The file at `path`, opened if it is not open.
    ///
    /// - Parameter number: the pack's own.
    func reader(_ number: UInt64, _ path: ByteString) throws(StoreError) -> PackReader {
        if let reader = known(number) { return reader }
        let reader = try PackReader(path)
        return state.withLock { state in
            while state.readers.count >= Self.maximum,
                let oldest = state.readers.min(by: { $0.value.lastUse < $1.value.lastUse })
            {
                state.readers[oldest.key] = nil
            }
            state.clock += 1
            state.readers[number] = (reader, state.clock)
            return reader
        }
    }

    private func known(_ number: UInt64) -> PackReader? {
        state.withLock { state in
            state.clock += 1
            state.readers[number]?.lastUse = state.clock
            return state.readers[number]?.reader
        }
    }

    /// Lets go of the file, which others may have removed.
    func close(_ number: UInt64) {
        state.withLock { $0.readers[number] = nil }
    }
}
