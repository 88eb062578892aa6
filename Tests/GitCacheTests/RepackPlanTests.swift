import GitCore
import TestSupport
import Testing

@testable import GitCache

@Suite struct RepackPlanTests {
    @Test(
        arguments: [
            ([1, 1, 1, 1_000], 3), ([10, 20, 40, 80], 0), ([10, 10, 40, 80], 2), ([5, 5, 5], 3),
            ([1, 1, 4, 1_000], 2), ([3, 8, 9, 100], 3), ([1, 2, 3, 100, 1_000], 3),
        ])
    func eachThatStaysHasTwiceWhatIsSmaller(counts: [Int], split: Int) {
        #expect(RepackPlan.split(counts) == split)
        var row = counts[split...].map(\.self)
        let new = counts[..<split].reduce(0, +)
        if new > 0 { row.insert(new, at: 0) }
        for (smaller, larger) in zip(row, row.dropFirst()) { #expect(larger >= 2 * smaller) }
    }

    @Test func fewPacksStay() throws {
        let folder = try TemporaryDirectory()
        let path = { (name: String) in ByteString(folder(name)) }
        #expect(RepackPlan([(path("a"), 100), (path("b"), 100)]) == nil)
        #expect(RepackPlan([(path("a"), 10_000)])?.kept == [])
        _ = try folder.write("a.bitmap", [])
        #expect(RepackPlan([(path("a"), 10_000)]) == nil)
        let small = (0 ..< 8).map { (path: path("b\($0)"), count: 5) }
        #expect(RepackPlan(small + [(path("a"), 10_000)])?.kept == ["a.pack"])
        #expect(RepackPlan(small + [(path("a"), 50)])?.kept == [])
    }
}
