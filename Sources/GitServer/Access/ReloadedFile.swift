internal import GitCore
internal import GitStore
import Synchronization

/// A file that is read again when it has changed. One that cannot be read any more lets nobody in.
final class ReloadedFile<Content: Sendable>: Sendable {
    private struct State {
        var stamp: FileStamp?
        var content: Content
        var generation = 0
    }

    private let path: ByteString
    private let read: @Sendable (ByteString) throws(StoreError) -> Content
    private let state: Mutex<State>

    init(
        _ path: ByteString, _ read: @escaping @Sendable (ByteString) throws(StoreError) -> Content
    ) throws(StoreError) {
        self.path = path
        self.read = read
        state = Mutex(State(stamp: FileStamp(path), content: try read(path)))
    }

    /// What is in it, and how often it was read again for that: what is kept under one number was made of
    /// one content.
    func current() throws(StoreError) -> (content: Content, generation: Int) {
        try state.withLock { state throws(StoreError) in
            let stamp = FileStamp(path)
            if stamp == nil || stamp != state.stamp {
                state.content = try read(path)
                state.stamp = stamp
                state.generation += 1
            }
            return (state.content, state.generation)
        }
    }
}
