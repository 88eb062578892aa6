public import GitCore

/// What a pack that was built is made of.
public struct PackSummary: Sendable {
    public internal(set) var objects = 0
    public internal(set) var deltas = 0
    /// Objects that went out as they are in a pack.
    public internal(set) var reused = 0
    public internal(set) var reusedDeltas = 0
    /// Objects of a part of a pack that was copied without a look at each; they are none of ``reused``
    /// and ``deltas``.
    public internal(set) var packReused = 0
    /// Of the whole pack.
    public internal(set) var bytes: UInt64 = 0
    /// The hash at its end; nil before it came.
    public internal(set) var trailer: ObjectID?
    var written = 0
}

/// Builds a pack for a receiver, and hands it over while it is made.
///
/// Memory: some 60 bytes for each object that is met, and a budget of about 200 MiB for what is held to
/// rebuild others from.
public final class PackAssembler: Sendable {
    public let progress = PackBuildProgress()
    private let database: ObjectDatabase
    private let request: PackRequest
    private let cancellation: CancellationFlag
    private let shelf: PreparedPacks?

    public init(_ request: PackRequest, from database: ObjectDatabase) {
        self.request = request
        self.database = database
        cancellation = CancellationFlag()
        shelf = nil
    }

    /// - Parameter shelf: packs that were prepared for others.
    package init(
        _ request: PackRequest, from database: ObjectDatabase, shelf: PreparedPacks? = nil,
        cancellation: CancellationFlag
    ) {
        self.request = request
        self.database = database
        self.cancellation = cancellation
        self.shelf = shelf
    }

    /// Has ``run(_:)`` stop soon; call it on any thread.
    public func cancel() { cancellation.set() }

    /// Builds the pack on the calling thread, once.
    ///
    /// - Parameter sink: takes the bytes of the pack in order, in pieces of up to a mebibyte. Nothing
    ///   comes before all objects of the pack are known; what it throws ends the work.
    /// - Throws: ``StoreError/Code/notFound`` where an object is missing that belongs into the pack;
    ///   ``StoreError/Code/corrupt``; ``StoreError/Code/cancelled``.
    @discardableResult
    public func run(
        _ sink: @escaping (UnsafeRawBufferPointer) throws(StoreError) -> Void
    ) throws(StoreError) -> PackSummary {
        try run(leavingOut: { _ in }, sink)
    }

    /// The same.
    ///
    /// - Parameter tell: is told, before `sink` gets a byte, which of ``PackRequest/elsewhere`` would be in
    ///   the pack.
    package func run(
        leavingOut tell: (Set<ObjectID>) throws(StoreError) -> Void,
        _ sink: @escaping (UnsafeRawBufferPointer) throws(StoreError) -> Void
    ) throws(StoreError) -> PackSummary {
        let pack =
            if let shelf {
                try shelf.pack(request, database, progress, cancellation, prepare)
            } else {
                try prepare()
            }
        try tell(pack.selection.leftOut)
        return try writer(of: pack, sink).run()
    }

    private func prepare() throws(StoreError) -> PreparedPack { try prepare(select()) }

    func writer(
        of pack: PreparedPack, _ sink: @escaping (UnsafeRawBufferPointer) throws(StoreError) -> Void
    ) -> PackWriter {
        PackWriter(pack, PackOutput(database.format, sink), progress, cancellation)
    }

    /// Makes all that the pack needs before its first byte is written.
    func prepare(_ selection: PackSelection) throws(StoreError) -> PreparedPack {
        guard selection.count <= UInt32.max else {
            throw StoreError(.limit, "more objects than a pack can have")
        }
        let plan = try PackPlan(selection)
        let candidates =
            try plan.isOnePack ? [] : CandidateList(plan, selection, cancellation).list()
        var deltas: [UInt32: NewDelta] = [:]
        if request.window > 0, request.depth > 0, candidates.contains(where: { $0.home == 0 }) {
            deltas = try DeltaSearch(
                database: database, request: request, progress: progress,
                cancellation: cancellation
            ).run(candidates)
        }
        let made = candidates.filter {
            !$0.isReceived && $0.home == 0 || deltas[UInt32($0.number)] != nil
        }
        return PreparedPack(
            plan, selection, made: made.map { UInt32(truncatingIfNeeded: $0.number) }, deltas)
    }

    /// The selection by a walk.
    func walk() throws(StoreError) -> PackSelection {
        let selection = try PackSelection(request, database, progress, cancellation)
        try selection.run()
        return selection
    }

    /// The selection, by bitmaps where there are any that help.
    func select() throws(StoreError) -> PackSelection {
        if let selection = try selectByBitmaps() { return selection }
        return try walk()
    }

    /// nil where bitmaps cannot tell, or are damaged.
    private func selectByBitmaps() throws(StoreError) -> PackSelection? {
        guard BitmapSelection.isOfUse(for: request), let index = try database.bitmaps() else {
            return nil
        }
        let selection = try PackSelection(request, database, progress, cancellation)
        do throws(StoreError) {
            guard try BitmapSelection(selection, index).run() else { return nil }
            return selection
        } catch  where error.code == .corrupt || error.code == .notFound {
            // The walk says what is missing, unless it is the bitmaps that are wrong.
            if error.code == .corrupt { database.faults.record(error) }
            return nil
        }
    }
}
