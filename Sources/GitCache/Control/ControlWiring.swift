import GitCore
import GitServer

extension ControlServer {
    /// Answers for a cache that runs.
    convenience init(
        _ core: CacheCore, _ hosts: UpstreamHosts, _ http: HTTPServer, _ recorder: RequestRecorder,
        in store: ByteString
    ) throws(CacheError) {
        let start = ContinuousClock.now
        let caretaker = Caretaker(
            mirrors: core.mirrors, answers: core.answers,
            running: Caretaker.Running(
                core: core, hosts: hosts, breakOff: { isMeant in http.breakOff(where: isMeant) }))
        try self.init(in: store) { request, tell throws(CacheError) in
            switch request {
            case .status(let asJSON):
                let status = CacheStatus(
                    core, hosts, seconds: Int((ContinuousClock.now - start).components.seconds),
                    sent: recorder.sentBytes)
                for line in status.lines(asJSON: asJSON) where !tell(line) { break }
            case .purge(let name): try caretaker.purge(name, tell)
            case .verify: try caretaker.verify(tell)
            }
        }
    }
}
