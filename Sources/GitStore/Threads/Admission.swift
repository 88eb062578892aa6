/// Lets so many threads at a time do what takes much memory and computes.
package final class Admission: Sendable {
    private let inside = Monitor(0)
    private let most: Int

    package init(_ most: Int) { self.most = max(1, most) }

    /// Waits for a place; ``leave()`` gives it back.
    ///
    /// - Throws: ``StoreError/Code/cancelled``.
    func enter(_ cancellation: CancellationFlag) throws(StoreError) {
        while !enterIfFree() {
            try cancellation.check()
            _ = inside.wait(milliseconds: Self.patience) { $0 < most }
        }
    }

    func leave() { inside.change { $0 -= 1 } }

    private func enterIfFree() -> Bool {
        inside.change { inside in
            guard inside < most else { return false }
            inside += 1
            return true
        }
    }

    /// Who waits looks up so often for whether to stop.
    private static let patience = 200
}
