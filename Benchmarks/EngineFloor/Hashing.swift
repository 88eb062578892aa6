import CSHA1
import GitCore

/// The one place that knows how objects are hashed: what is best today.
enum Hashing {
    /// The name of the kernel in use, as APUS_SHA1_KERNEL spells it.
    static var kernel: String {
        var context = csha1_context()
        csha1_init(&context, true)
        return csha1_kernel_name(context.kernel).map { String(cString: $0) } ?? "?"
    }

    /// Hashes one object for each entry, header included, with collision detection.
    static func hashAll(_ entries: [PackEntry], _ content: Content) throws(Failure) {
        try content.forEach(entries) { object throws(Failure) in
            do throws(CollisionError) {
                _ = try ObjectHasher.hash(.blob, object, .sha1)
            } catch {
                throw Failure("\(error)")
            }
        }
    }
}
