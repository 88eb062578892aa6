import CCurl
import GitStore
import Synchronization

/// The thread that runs libcurl's transfers; it ends when the last reference to this goes.
///
/// libcurl's handles belong to that thread alone. All others only leave commands, under a lock, and
/// wake it.
final class CurlLoop: Sendable {
    private let thread: CurlThread

    /// Nil where libcurl or the system has no room for another.
    init?() {
        guard let thread = CurlThread.start() else { return nil }
        self.thread = thread
    }

    deinit { thread.enqueue(.stop) }

    func start(_ transfer: CurlTransfer) { thread.enqueue(.start(transfer)) }
    /// Takes up again what paused because its buffer was full.
    func resume(_ transfer: CurlTransfer) { thread.enqueue(.resume(transfer)) }
    func remove(_ transfer: CurlTransfer) { thread.enqueue(.remove(transfer)) }
}

private let globalInitialization = curl_global_init(apus_curl_global_default)

private enum CurlCommand {
    case start(CurlTransfer)
    case resume(CurlTransfer)
    case remove(CurlTransfer)
    case stop
}

// SAFETY: `multi` is used by the thread alone, but for curl_multi_wakeup, which libcurl allows from
// any thread and which is called under the lock, so never after the thread has taken `stop` and
// freed it; `active` is touched by the thread alone; `commands` is guarded by its lock.
private final class CurlThread: @unchecked Sendable {
    private let multi: UnsafeMutableRawPointer
    private let commands = Mutex<[CurlCommand]>([])
    private var active: [ObjectIdentifier: CurlEasy] = [:]

    private init(_ multi: UnsafeMutableRawPointer) { self.multi = multi }

    /// Nil where libcurl or the system has no room for another.
    static func start() -> CurlThread? {
        guard globalInitialization == CURLE_OK, let multi = curl_multi_init() else { return nil }
        // Where there was no descriptor for it, libcurl goes without what wakes it, and says so only here:
        // every command would wait for the thread to look up by itself.
        guard curl_multi_wakeup(multi) == CURLM_OK else {
            curl_multi_cleanup(multi)
            return nil
        }
        let loop = CurlThread(multi)
        do throws(StoreError) {
            try SystemThread { loop.run() }.detach()
            return loop
        } catch {
            curl_multi_cleanup(multi)
            return nil
        }
    }

    func enqueue(_ command: CurlCommand) {
        commands.withLock { commands in
            commands.append(command)
            curl_multi_wakeup(multi)
        }
    }

    /// The thread's work, until it is told to stop.
    private func run() {
        while perform(takeCommands()) {
            var running: Int32 = 0
            curl_multi_perform(multi, &running)
            for easy in active.values { easy.transfer.deliver() }
            finishDone()
            curl_multi_poll(multi, nil, 0, pollMilliseconds, nil)
        }
        for easy in active.values { drop(easy) }
        active = [:]
        curl_multi_cleanup(multi)
    }

    private func takeCommands() -> [CurlCommand] {
        commands.withLock { commands in
            let taken = commands
            commands = []
            return taken
        }
    }

    /// False once there was a command to stop.
    private func perform(_ commands: [CurlCommand]) -> Bool {
        for command in commands {
            switch command {
            case .start(let transfer): start(transfer)
            case .resume(let transfer): active[ObjectIdentifier(transfer)]?.resume()
            case .remove(let transfer):
                if let easy = active.removeValue(forKey: ObjectIdentifier(transfer)) { drop(easy) }
            case .stop: return false
            }
        }
        return true
    }

    private func start(_ transfer: CurlTransfer) {
        // It may have been given up before it began.
        guard !transfer.isFinished else { return }
        do throws(ClientError) {
            let easy = try CurlEasy(transfer)
            guard curl_multi_add_handle(multi, easy.handle) == CURLM_OK else {
                throw ClientError(.system, "libcurl could not start a transfer")
            }
            active[ObjectIdentifier(transfer)] = easy
        } catch {
            transfer.finish(.failure(error))
        }
    }

    private func finishDone() {
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE else { continue }
            let handle = message.pointee.easy_handle
            let result = apus_curl_message_result(message)
            guard let easy = active.values.first(where: { $0.handle == handle }) else { continue }
            active[ObjectIdentifier(easy.transfer)] = nil
            easy.transfer.finish(easy.outcome(result))
            drop(easy)
        }
    }

    private func drop(_ easy: CurlEasy) {
        curl_multi_remove_handle(multi, easy.handle)
        easy.transfer.finish(.failure(.cancelled))
    }
}

/// An idle thread looks up this often; whatever there is to do wakes it at once.
private let pollMilliseconds: Int32 = 60_000
