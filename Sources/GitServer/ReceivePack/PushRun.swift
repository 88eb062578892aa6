internal import GitCore
internal import GitStore
internal import GitWire

/// One push, from the first byte of its pack to its last hook (git-receive-pack).
///
///     the pack comes into a quarantine, and is checked
///     what the new tips lead to is checked
///     pre-receive
///     the quarantine's objects become the repository's
///     each ref by itself, or all at once: rules, update, reference-transaction, the change
///     the report
///     post-receive, post-update
final class PushRun {
    private let repository: Repository
    private let push: IncomingPush
    private let pusher: Pusher
    private let output: any ServiceOutput
    private let ticker: Ticker
    private let sender: PushSender
    private let hooks: HookRunner
    /// Why each command was refused, in the order of the commands; nil while it was not.
    private var refusals: [ByteString?]
    /// Commands that deleted what was not there: no hook hears of them.
    private var changedNothing: Set<Int> = []
    /// Commands that another one, which is named otherwise, does too.
    private var doneByOther: Set<Int> = []
    private var unpackError: ByteString?

    private var request: PushRequest { push.request }

    init(_ service: ReceivePackService, _ push: IncomingPush, _ pusher: Pusher) {
        repository = service.repository
        self.push = push
        self.pusher = pusher
        output = service.output
        ticker = service.ticker
        sender = PushSender(push.request, service.output)
        var hooks = HookRunner(service.repository)
        hooks.pushOptions = push.request.pushOptions ?? []
        hooks.variables = Self.variables(pusher)
        self.hooks = hooks
        refusals = Array(repeating: nil, count: push.request.commands.count)
    }

    private static func variables(_ pusher: Pusher) -> [(name: String, value: ByteString)] {
        let identity = pusher.identity
        var variables: [(name: String, value: ByteString)] = [
            ("GIT_COMMITTER_NAME", identity.name), ("GIT_COMMITTER_EMAIL", identity.mail),
            ("REMOTE_ADDR", ByteString(pusher.peer)),
        ]
        if let user = pusher.user { variables.append(("REMOTE_USER", user)) }
        return variables
    }

    func run() throws {
        try ticker.run(sender) {
            try change()
            try sender.report(report())
            try tellOfChanges()
        }
        sender.end()
    }

    private func report() -> PushReport {
        var report = PushReport()
        report.unpackError = unpackError
        for (command, refusal) in zip(request.commands, refusals) {
            report.results.append((command.name, refusal.map { .refused($0) } ?? .ok()))
        }
        return report
    }

    // MARK: Before any ref is changed

    private func change() throws {
        let quarantine = try request.hasPack ? Quarantine(repository) : nil
        // Once refs change, it goes on to the end, whether the client is there or not.
        let cancelAll = [quarantine?.canceller, hooks.canceller].compactMap(\.self)
        output.onCancel { for cancel in cancelAll { cancel() } }
        defer { output.onCancel(nil) }
        defer { quarantine?.release() }
        guard try takePack(quarantine) else { return }
        if let quarantine { try checkConnectivity(quarantine) }
        let rules = try PushRules(repository)
        for place in open {
            if let reason = rules.refusalOfHidden(change(place)) { refuse(place, reason) }
        }
        settleAliases()
        // Nothing can come of it any more, and no object is to be left of it.
        if request.atomic, open.count < refusals.count { refuseAll("atomic push failure") }
        guard !open.isEmpty, try runPreReceive(quarantine) else { return }
        output.onCancel(nil)
        // The hooks were told to end with it, those that come after the change, too.
        if output.isCancelled { throw ExchangeEnded() }
        do throws(StoreError) { try quarantine?.migrate() } catch {
            return refuseAll("unable to migrate objects to permanent storage")
        }
        if request.atomic { try changeTogether(rules) } else { changeEach(rules) }
    }

    /// The places of the commands that nothing was said against yet.
    private var open: [Int] { refusals.indices.filter { refusals[$0] == nil } }

    private func change(_ place: Int) -> RefChange {
        let command = request.commands[place]
        return RefChange(name: command.name, old: command.old, new: command.new)
    }

    private func refuse(_ place: Int, _ reason: String) {
        if refusals[place] == nil { refusals[place] = ByteString(reason) }
    }

    private func refuseAll(_ reason: String) { for place in open { refuse(place, reason) } }

    /// False where there is nothing to go on with.
    private func takePack(_ quarantine: Quarantine?) throws -> Bool {
        defer { sender.open() }
        guard let quarantine else {
            // There is no pack: what else comes is a fault.
            _ = try push.nextPiece()
            return true
        }
        do throws(StoreError) { try receive(quarantine) } catch {
            if error.code == .cancelled || error.cause is ExchangeEnded { throw ExchangeEnded() }
            unpackError = ByteString(Self.reason(error))
            refuseAll("unpacker error")
            return false
        }
        return true
    }

    private func receive(_ quarantine: Quarantine) throws(StoreError) {
        let settings = try ReceiveSettings(repository.config)
        let notice: (String) -> Void = { [sender] line in sender.tell([line]) }
        let source: () throws -> ArraySlice<UInt8>? = { [push] in try push.nextPiece() }
        try quarantine.receive(settings, notice: notice, from: source)
    }

    /// What is told of a pack that was refused.
    private static func reason(_ error: StoreError) -> String {
        if let fault = error.cause as? BodyFault {
            return fault == .tooLarge ? "the request is too large" : "the request is malformed"
        }
        switch error.code {
        case .corrupt, .limit, .collision, .invalid, .unsupported: return error.message
        default: return "unable to store the objects"
        }
    }

    private func checkConnectivity(_ quarantine: Quarantine) throws(StoreError) {
        let tips = open.map { request.commands[$0].new }.filter { !$0.isZero }
        let faults = try quarantine.connectivityFaults(
            of: tips, shallow: Set(request.shallow), in: repository)
        for place in open {
            if let fault = faults[request.commands[place].new] { refuse(place, fault.reason) }
        }
    }

    /// Two changes of one ref, once by its own name and once by that of a symbolic ref, are made by its
    /// own name if they are the same, and refused if not.
    private func settleAliases() {
        var first: [RefName: Int] = [:]
        for place in open {
            guard let name = request.commands[place].ref,
                let target = repository.refs.target(of: name)
            else { continue }
            guard let other = first[target] else {
                first[target] = place
                continue
            }
            let (a, b) = (request.commands[other], request.commands[place])
            guard a.old == b.old, a.new == b.new else {
                refuse(place, "inconsistent aliased update")
                refuse(other, "inconsistent aliased update")
                continue
            }
            let isAlias = name != target
            doneByOther.insert(isAlias ? place : other)
            if !isAlias { first[target] = place }
        }
    }

    private func runPreReceive(_ quarantine: Quarantine?) throws -> Bool {
        let outcome = try hooks.run(
            .preReceive(open.map(change)), quarantine: quarantine, output: tell)
        guard case .refused = outcome else { return true }
        refuseAll("pre-receive hook declined")
        return false
    }

    private var tell: (UnsafeRawBufferPointer) -> Void {
        { [sender] bytes in sender.tell(ByteString(bytes)) }
    }

    // MARK: Changing refs

    private func changeEach(_ rules: PushRules) {
        for place in open where !doneByOther.contains(place) {
            // Of what went wrong with one, the report tells beside what was done with others.
            do throws(StoreError) {
                if try mayChange(place, rules) { try commit([place]) }
            } catch {
                sender.tell(["error: \(error.message)"])
                refuse(place, Self.isVeto(error) ? Self.veto : "failed to update ref")
            }
        }
    }

    private func changeTogether(_ rules: PushRules) throws(StoreError) {
        let places = open.filter { !doneByOther.contains($0) }
        for place in places where try !mayChange(place, rules) { break }
        guard refusals.allSatisfy({ $0 == nil }) else { return refuseAll("atomic push failure") }
        do throws(StoreError) { try commit(places) } catch {
            sender.tell(["error: \(error.message)"])
            refuseAll(Self.isVeto(error) ? Self.veto : "atomic transaction failed")
        }
    }

    private static let veto = "reference-transaction hook declined"

    private static func isVeto(_ error: StoreError) -> Bool {
        error.code == .conflict && error.message == "ref updates aborted by hook"
    }

    private func mayChange(_ place: Int, _ rules: PushRules) throws(StoreError) -> Bool {
        let change = change(place)
        let verdict = try rules.verdict(on: change)
        sender.tell(verdict.messages)
        if let refusal = verdict.refusal {
            refuse(place, refusal)
            return false
        }
        guard case .refused = try hooks.run(.update(change), output: tell) else { return true }
        sender.tell(["error: hook declined to update \(change.name.printable)"])
        refuse(place, "hook declined")
        return false
    }

    private func commit(_ places: [Int]) throws(StoreError) {
        var transaction = RefTransaction(committer: pusher.identity, message: "push")
        for place in places {
            let command = request.commands[place]
            guard let name = command.ref else { continue }
            guard command.isDelete else {
                transaction.update(
                    name, to: command.new,
                    expecting: command.isCreate ? .missing : .oid(command.old),
                    followingSymbolic: true)
                continue
            }
            // An old value that is no object here says nothing of what a ref that is gone has held.
            var isOldKnown = false
            if !command.old.isZero { isOldKnown = try repository.objects.contains(command.old) }
            let current = try? repository.refs.read(name)
            if current == nil, !isOldKnown {
                sender.tell(["warning: deleting a non-existent ref"])
                changedNothing.insert(place)
            }
            transaction.delete(
                name,
                expecting: changedNothing.contains(place) || command.old.isZero
                    ? .any : .oid(command.old))
        }
        try repository.refs.update(transaction, observer: hooks.observer(output: tell))
    }

    // MARK: Afterwards

    private func tellOfChanges() throws(StoreError) {
        let changes = open.filter { !changedNothing.contains($0) }.map(change)
        guard !changes.isEmpty else { return }
        _ = try hooks.run(.postReceive(changes), output: tell)
        _ = try hooks.run(.postUpdate(changes.map(\.name)), output: tell)
    }
}

extension RefStore {
    /// The ref that a change of `name` changes, through symbolic refs; nil where these make no sense.
    fileprivate func target(of name: RefName) -> RefName? {
        var name = name
        for _ in 0 ... Self.maximumSymbolicDepth {
            guard case .symbolic(let next)? = try? read(name) else { return name }
            name = next
        }
        return nil
    }
}
