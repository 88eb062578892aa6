import GitCore
import Testing

@testable import GitClient

@Suite struct CloneProgressTests {
    @Test(.timeLimit(.minutes(10))) func cancelledReaderIsLetGo() async {
        let progress = CloneProgress()
        let reading = Task {
            var count = 0
            for await _ in progress { count += 1 }
            return count
        }
        progress.post(.warning("one"))
        try? await Task.sleep(for: .milliseconds(50))
        reading.cancel()
        #expect(await reading.value <= 1)
    }

    @Test(.timeLimit(.minutes(10))) func secondReaderEndsTheFirst() async {
        let progress = CloneProgress()
        let first = Task { await firstEvent(of: progress) }
        try? await Task.sleep(for: .milliseconds(50))
        let second = Task { await firstEvent(of: progress) }
        #expect(await first.value == nil)
        progress.post(.warning("one"))
        #expect(await second.value == .warning("one"))
    }

    @Test func textGoesBeforeAnythingElse() async {
        let progress = CloneProgress()
        progress.post(.warning("kept"))
        for number in 0 ..< 5_000 { progress.post(.serverText(ByteString("\(number)"))) }
        progress.post(.finished(.receivingObjects))
        progress.finish()
        var events: [CloneProgress.Event] = []
        for await event in progress { events.append(event) }
        #expect(events.count == 1_024)
        #expect(events.first == .warning("kept"))
        #expect(events.dropLast().last == .serverText("4999"))
        #expect(events.last == .finished(.receivingObjects))
    }
}

private func firstEvent(of progress: CloneProgress) async -> CloneProgress.Event? {
    var iterator = progress.makeAsyncIterator()
    return await iterator.next()
}
