import CSHA1

/// Blocks side by side, one for each of the most lanes that a kernel has, and what is found in them.
struct HashingBlocks {
    static let count = Int(CSHA1_LANES)
    /// A block as it is in memory.
    typealias Packed = SIMD64<UInt8>

    private var blocks = Array(repeating: Packed(), count: Self.count)

    static func packed(_ bytes: [UInt8]) -> Packed {
        bytes.withUnsafeBytes { $0.loadUnaligned(as: Packed.self) }
    }

    mutating func set(_ lane: Int, _ bytes: [UInt8]) { blocks[lane] = Self.packed(bytes) }

    mutating func set(_ lane: Int, _ block: Packed) { blocks[lane] = block }

    /// The vectors whose conditions the block of a lane meets.
    func reference(_ lane: Int) -> UInt32 {
        withUnsafeBytes(of: blocks[lane]) {
            HashingReference.candidates(HashingReference.expand(Array($0)[...]))
        }
    }

    /// The vectors of each block, as the kernel that stands for `kernel` with single messages finds.
    func candidates(single kernel: UInt8) -> [UInt32] {
        pointers { pointers in
            pointers.map { block in
                withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 80) { schedule in
                    csha1_expand(kernel, block, schedule.baseAddress)
                        ? csha1_candidates(kernel, schedule.baseAddress) : 0
                }
            }
        }
    }

    /// The same in the lanes of a kernel, as many blocks at a time as there are; nil without lanes.
    func candidates(lanes kernel: UInt8) -> [UInt32]? {
        let lanes = Int(csha1_lane_count(kernel))
        guard lanes > 0 else { return nil }
        var result = [UInt32](repeating: 0, count: Self.count)
        pointers { pointers in
            result.withUnsafeMutableBufferPointer { result in
                for start in stride(from: 0, to: Self.count, by: lanes) {
                    _ = csha1_lane_candidates(
                        kernel, pointers.baseAddress?.advanced(by: start),
                        result.baseAddress?.advanced(by: start))
                }
            }
        }
        return result
    }

    private func pointers<Result>(
        _ body: (UnsafeBufferPointer<UnsafePointer<UInt8>?>) -> Result
    ) -> Result {
        blocks.withUnsafeBytes { bytes in
            let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
            let pointers = (0 ..< Self.count).map { start?.advanced(by: 64 * $0) }
            return pointers.withUnsafeBufferPointer(body)
        }
    }
}
