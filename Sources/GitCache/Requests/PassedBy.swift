import GitClient
import GitServer
import GitStore

/// The cache's own store cannot do what a request needs: upstream is to answer it by itself.
///
/// A full disk, or a mirror that is damaged, costs speed and no answer.
struct PassedBy: BeforeAnswer {
    let cause: StoreError

    /// Has a failure of the store become this.
    static func catching<Value>(_ body: () throws -> Value) throws -> Value {
        do { return try body() } catch let error as CacheError {
            guard let cause = error.cause as? StoreError, cause.code != .cancelled else {
                throw error
            }
            throw PassedBy(cause: cause)
        } catch let error as StoreError where error.code != .cancelled {
            throw PassedBy(cause: error)
        }
    }

    /// The same. What a damaged mirror holds is not used again.
    static func catching<Value>(
        _ mirror: Mirror, _ cache: CacheCore, _ body: () throws -> Value
    ) throws -> Value {
        do { return try body() } catch let error as StoreError where error.code != .cancelled {
            cache.suspect(mirror, error)
            throw PassedBy(cause: error)
        }
    }
}
