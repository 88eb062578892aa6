/// Which commits get a bitmap: the newest all, of older ones fewer and fewer.
///
/// Commits stand in the order of their time, the newest first. Of each stretch one is taken: one that a
/// ref is at if there is any, else the last that merges others, else the last.
enum BitmapChoice {
    struct Commit {
        /// The number among the objects.
        let number: Int
        let isTip: Bool
        let isMerge: Bool
    }

    /// So many are all taken.
    private static let all = 100
    /// Up to here, one of so many is taken; behind, stretches grow up to the last number.
    private static let nearEnd = 20_000
    private static let nearStretch = 100
    private static let farStretch = 5_000

    /// The numbers of those that are taken, in their order.
    static func choose(_ commits: [Commit]) -> [Int] {
        guard commits.count >= all else { return commits.map(\.number) }
        var chosen: [Int] = []
        var place = 0
        while true {
            let stretch = stretch(at: place)
            guard place + stretch < commits.count else { return chosen }
            let range = commits[place ... place + stretch]
            let best =
                range.first { $0.isTip } ?? range.last { $0.isMerge } ?? commits[place + stretch]
            chosen.append(stretch == 0 ? commits[place].number : best.number)
            place += stretch + 1
        }
    }

    private static func stretch(at place: Int) -> Int {
        if place <= all { return 0 }
        if place <= nearEnd { return min(place - all, nearStretch) }
        return max(min(place - nearEnd, farStretch), nearStretch)
    }
}
