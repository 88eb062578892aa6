import GitStore

/// What one thread finds out while others wait to know it.
final class Verdict: Sendable {
    private let value = Monitor<Bool?>(nil)

    func give(_ verdict: Bool) { value.change { $0 = verdict } }
    func wait() -> Bool { value.wait { $0 } }
}
