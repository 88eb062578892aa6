/// An answer that is ready to be written: its objects, where each is taken from, and the deltas made for
/// it. Any number of threads may write it, each with a ``PackWriter``, at once and again.
final class PreparedPack: @unchecked Sendable {
    // SAFETY: a class of these that can change is the selection. It is done when this is made, and a writer
    // only reads it: all chosen objects have their places by then.
    let plan: PackPlan
    let selection: PackSelection
    /// Objects that are written anew, in the order in which that is best done.
    let made: [UInt32]
    let newDeltas: [UInt32: NewDelta]
    /// Bytes of memory that it takes, about.
    let cost: Int

    init(
        _ plan: PackPlan, _ selection: PackSelection, made: [UInt32],
        _ newDeltas: [UInt32: NewDelta]
    ) {
        selection.rest()
        self.plan = plan
        self.selection = selection
        self.made = made
        self.newDeltas = newDeltas
        let deltas = newDeltas.values.reduce(0) { $0 + ($1.deflated?.count ?? 0) + 100 }
        cost = selection.objects.count * Self.costOfObject + deltas + Self.ownCost
    }

    private static let costOfObject = 120
    private static let ownCost = 4_096
}
