import CSHA1
import GitCore

/// The one place that knows how objects are hashed: what is best today.
enum Hashing {
    /// The name of the kernel in use, as APUS_SHA1_KERNEL spells it.
    static var kernel: String {
        csha1_kernel_name(csha1_chosen_kernel()).map { String(cString: $0) } ?? "?"
    }

    /// Hashes one object for each entry, header included, with collision detection.
    static func hashAll(_ entries: [PackEntry], _ content: Content) throws(Failure) {
        let hasher = LaneHasher(.sha1)
        var count = 0
        let done: LaneHasher.Done = { _, _ in count += 1 }
        do throws(CollisionError) {
            for (number, object) in content.objects(entries).enumerated() {
                try hasher.add(.blob, object, number: number, done: done)
            }
            try hasher.finish(done)
        } catch {
            throw Failure("\(error)")
        }
        guard count == entries.count else { throw Failure("\(count) objects were hashed") }
    }
}
