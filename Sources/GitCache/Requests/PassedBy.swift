import GitClient
import GitServer
import GitStore

/// Upstream is to answer a request by itself.
///
/// The cache's own store cannot do what it needs: a full disk, or a mirror that is damaged, costs speed and no
/// answer. Or the mirror is still being fetched, and the client would wait long for all of it to have a part.
struct PassedBy: BeforeAnswer {
    /// What the store failed of; nil where there was no time to wait.
    let cause: StoreError?

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

    /// The same of one mirror, which may be damaged.
    static func catching<Value>(
        _ body: () throws -> Value, suspect: (StoreError) -> Void
    ) throws -> Value {
        do { return try body() } catch let error as StoreError where error.code != .cancelled {
            suspect(error)
            throw PassedBy(cause: error)
        }
    }
}

extension Refusal {
    /// Has what would be another answer, or a status, become words: in the middle of an answer there is no place
    /// for either.
    static func inAnswer(_ body: () throws -> Void) throws {
        do { try body() } catch let failure as UpstreamFailure {
            throw Refusal(failure.message)
        } catch let refusal as StatusRefusal {
            throw Refusal(refusal.reason)
        } catch is PassedBy {
            throw Refusal("The upstream's pack is of no use.")
        }
    }
}
