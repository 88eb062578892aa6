internal import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

extension ProgramCall {
    /// Runs the program to its end, on the calling thread. Cancelled or out of time, it is ended with
    /// all that it started: asked to first, then made to.
    ///
    /// It ends when nobody holds its output open any more, as Git waits for hooks; a program left in
    /// the background must let go of it.
    ///
    /// - Parameter output: is given what the program writes to its standard output and error, piece by
    ///   piece.
    /// - Throws: ``StoreError/Code/cancelled``; ``StoreError/Code/system`` where it cannot be started.
    package func run(
        cancellation: CancellationFlag, output: (UnsafeRawBufferPointer) -> Void
    ) throws(StoreError) -> ProgramEnd {
        var run = try ProgramRun(self)
        return try run.run(cancellation, output)
    }
}

/// A program on its way, and what goes to it and comes from it.
private struct ProgramRun: ~Copyable {
    private var child: ChildProcess
    private var input: File?
    private var outputPipe: File?
    private let bytes: [UInt8]
    private var written = 0
    private let deadline: ContinuousClock.Instant
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 14, alignment: 16)

    /// Between two looks at whether to stop, in milliseconds.
    private static let patience: Int32 = 50
    /// For a program that was asked to end.
    private static let grace = Duration.seconds(2)

    init(_ call: ProgramCall) throws(StoreError) {
        let toChild = try ProcessPipe()
        let toHost = try ProcessPipe()
        let started = try ChildProcess(
            call, input: call.input == nil ? nil : toChild.reading.descriptor,
            output: toHost.writing.descriptor)
        let writing = toChild.closeReading()
        let reading = toHost.closeWriting()
        try writing.setNonBlocking()
        try reading.setNonBlocking()
        child = started
        input = consume writing
        outputPipe = consume reading
        bytes = call.input ?? []
        deadline = .now + call.timeout
    }

    deinit { buffer.deallocate() }

    mutating func run(
        _ cancellation: CancellationFlag, _ output: (UnsafeRawBufferPointer) -> Void
    ) throws(StoreError) -> ProgramEnd {
        var pause: Int32 = 1
        while true {
            if cancellation.isSet {
                stop(output)
                throw StoreError(.cancelled, "cancelled")
            }
            if .now >= deadline {
                stop(output)
                return .timedOut
            }
            if outputPipe == nil, let end = child.reap() { return end }
            if outputPipe != nil || input != nil {
                converse(Self.patience, output)
            } else {
                // It closed its output and goes on.
                usleep(UInt32(pause) * 1_000)
                pause = min(pause * 2, Self.patience)
            }
        }
    }

    private mutating func stop(_ output: (UnsafeRawBufferPointer) -> Void) {
        input = nil
        child.signal(SIGTERM)
        let limit = ContinuousClock.now + Self.grace
        while .now < limit {
            if outputPipe != nil {
                converse(Self.patience, output)
            } else {
                usleep(1_000)
            }
            // What it started may go on, and is ended below.
            if outputPipe == nil { break }
        }
        child.signal(SIGKILL)
    }

    /// Writes what there is room for, reads what has come, or waits for either.
    private mutating func converse(
        _ milliseconds: Int32, _ output: (UnsafeRawBufferPointer) -> Void
    ) {
        if written == bytes.count { input = nil }
        var states = [
            pollfd(fd: Self.descriptor(outputPipe), events: Int16(POLLIN), revents: 0),
            // One below 0 is passed over.
            pollfd(fd: Self.descriptor(input), events: Int16(POLLOUT), revents: 0),
        ]
        guard systemPoll(&states, nfds_t(states.count), milliseconds) > 0 else { return }
        if states[1].revents != 0 { write(to: states[1].fd) }
        if states[0].revents != 0 { read(from: states[0].fd, output) }
    }

    private static func descriptor(_ file: borrowing File?) -> Int32 {
        switch file {
        case .some(let file): file.descriptor
        case .none: -1
        }
    }

    private mutating func write(to descriptor: Int32) {
        let count = bytes.withUnsafeBytes { bytes in
            withoutPipeSignal {
                systemWrite(
                    descriptor, bytes.baseAddress.map { $0 + written }, bytes.count - written)
            }
        }
        if count >= 0 {
            written += count
        } else if errno != EAGAIN, errno != EINTR {
            // A program that does not read its input is free to.
            input = nil
        }
    }

    private mutating func read(
        from descriptor: Int32, _ output: (UnsafeRawBufferPointer) -> Void
    ) {
        let count = systemRead(descriptor, buffer.baseAddress, buffer.count)
        if count > 0 {
            output(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        } else if count == 0 || (errno != EAGAIN && errno != EINTR) {
            outputPipe = nil
        }
    }
}

// The types have methods of these names.
private func systemPoll(
    _ states: UnsafeMutablePointer<pollfd>, _ count: nfds_t, _ wait: Int32
) -> Int32 { poll(states, count, wait) }

private func systemRead(_ descriptor: Int32, _ base: UnsafeMutableRawPointer?, _ count: Int) -> Int
{ read(descriptor, base, count) }

private func systemWrite(_ descriptor: Int32, _ base: UnsafeRawPointer?, _ count: Int) -> Int {
    write(descriptor, base, count)
}
