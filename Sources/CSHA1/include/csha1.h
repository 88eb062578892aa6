// SHA-1 that notices collision attacks, plain SHA-1, and SHA-256: the hashes of Git.
//
// A detecting hash gives the same digest as any SHA-1, and says besides whether a block of the
// input is one half of a collision made by any known attack (disturbance.h tells how). A plain one
// does not look: it is for checksums, where nobody gains by a collision.
//
//     csha1_context context;
//     csha1_init(&context, true);
//     csha1_update(&context, bytes, count);       // any number of times, any sizes
//     bool attacked = csha1_final(&context, digest);
//
// Many messages are hashed several times as fast side by side, each in a lane (csha1_lanes below).
//
// The work is done by a kernel:
//     portable       one message, plain C
//     sse2 or neon   4 messages at once
//     shani          one message, the SHA instructions of x86
//     avx2, avx512   8, 16 messages at once
// The last of these that the processor runs is chosen once; APUS_SHA1_KERNEL=NAME in the environment
// overrides that where the processor allows. A kernel of several messages leaves single ones to
// shani or portable, and the other way round. Every kernel gives the same digests and verdicts.
#ifndef CSHA1_H
#define CSHA1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CSHA1_DIGEST = 20,
    CSHA256_DIGEST = 32,
    CSHA1_BLOCK = 64,
    CSHA1_VECTORS = 32,
    CSHA1_LANES = 16,       // at most
    CSHA1_MESSAGES = 1024,  // of lanes, between two confirmations
};

/// The kernels, by number; csha1_kernel_name is null after the last.
enum { CSHA1_PORTABLE, CSHA1_QUAD, CSHA1_SHANI, CSHA1_AVX2, CSHA1_AVX512 };

typedef struct {
    uint64_t total;                // bytes so far
    uint32_t state[5];             // the chaining value
    uint8_t kernel;
    bool detects;
    bool attacked;                 // a block was part of a collision
    uint8_t pending[CSHA1_BLOCK];  // the first total % 64 bytes of the next block
} csha1_context;

/// Starts a hash on the kernel chosen for this process.
void csha1_init(csha1_context *context, bool detects);

/// Adds `count` bytes, in any alignment; none is kept after the call but a last part of a block.
void csha1_update(csha1_context *context, const void *bytes, size_t count);

/// Writes the digest; true when the hash detects and a block was part of a collision.
bool csha1_final(csha1_context *context, uint8_t digest[CSHA1_DIGEST]);

/// What APUS_SHA1_KERNEL calls a kernel; null when there is none of that number.
const char *csha1_kernel_name(uint8_t kernel);

/// Whether this processor runs the kernel.
bool csha1_kernel_runs(uint8_t kernel);

/// Starts a hash on one kernel; false, and nothing done, when the processor cannot run it.
bool csha1_init_kernel(csha1_context *context, bool detects, uint8_t kernel);

/// Messages that are hashed side by side, with detection, whole blocks of 64 bytes at a time: header
/// and padding are the caller's.
///
///     csha1_lanes *lanes = csha1_lanes_new(kernel);
///     csha1_lanes_start(lanes, lane, number);         // for each lane
///     csha1_lanes_feed(lanes, lane, blocks, n);       // for each lane, where its next blocks are
///     csha1_lanes_hash(lanes);                        // until those of a lane have ended
///     csha1_lanes_digest(lanes, lane, digest);        // of a lane whose message has ended
///     csha1_lanes_confirm(lanes);
///     csha1_lanes_attacked(lanes, number);
///
/// The digest is right at once. Whether a block was part of a collision is certain only after
/// csha1_lanes_confirm: suspects are examined together.
typedef struct csha1_lanes csha1_lanes;

/// The kernel chosen for this process.
uint8_t csha1_chosen_kernel(void);

/// How many lanes the kernel has; 0 when it has none or the processor cannot run it.
unsigned csha1_lane_count(uint8_t kernel);

/// So many messages, and fewer, are hashed faster one by one, by csha1_lanes_hash_one.
unsigned csha1_lanes_few(const csha1_lanes *lanes);

/// Lanes that are all idle; null without memory, or when the kernel has none.
csha1_lanes *csha1_lanes_new(uint8_t kernel);
void csha1_lanes_free(csha1_lanes *lanes);

/// Begins a message in a lane. Its number, below CSHA1_MESSAGES, is for csha1_lanes_attacked.
void csha1_lanes_start(csha1_lanes *lanes, unsigned lane, uint32_t number);

/// Gives the message in a lane another number.
void csha1_lanes_renumber(csha1_lanes *lanes, unsigned lane, uint32_t number);

/// Says where the next `count` blocks of a lane's message are, at least one.
void csha1_lanes_feed(csha1_lanes *lanes, unsigned lane, const uint8_t *blocks, uint32_t count);

/// Ends a lane's message.
void csha1_lanes_idle(csha1_lanes *lanes, unsigned lane);

/// Hashes as many blocks of each lane that is not idle as all of them have, and says by a bit each
/// which have come to their end: these are to be fed, or to be idle.
uint32_t csha1_lanes_hash(csha1_lanes *lanes);

/// Hashes the blocks of one lane alone, to their end.
void csha1_lanes_hash_one(csha1_lanes *lanes, unsigned lane);

/// The digest of all blocks of a lane's message so far.
void csha1_lanes_digest(const csha1_lanes *lanes, unsigned lane, uint8_t digest[CSHA1_DIGEST]);

/// Examines all suspects, and says whether any message was found to be part of a collision.
bool csha1_lanes_confirm(csha1_lanes *lanes);

/// Whether that message is known to be part of a collision; forgets it.
bool csha1_lanes_attacked(csha1_lanes *lanes, uint32_t number);

/// For tests: the 80 words of a block as the kernel makes them, W[t] at 79 - t.
bool csha1_expand(uint8_t kernel, const uint8_t block[CSHA1_BLOCK], uint32_t schedule[80]);

/// For tests: the disturbance vectors whose conditions the words meet, one bit each, found as the
/// kernel finds them (0 when the processor cannot run it).
uint32_t csha1_candidates(uint8_t kernel, const uint32_t schedule[80]);

/// For tests: the chaining value that the other block of vector `number` leads to.
/// `schedule` is this block expanded; `before` and `after` are the chaining values around it.
void csha1_counterpart(unsigned number, const uint32_t before[5], const uint32_t after[5],
                       const uint32_t schedule[80], uint32_t other[5]);

/// For tests: the same of a block each lane, as a kernel of lanes finds them; false when there are
/// no lanes.
bool csha1_lane_candidates(uint8_t kernel, const uint8_t *const *blocks, uint32_t *candidates);

/// For tests: lets a block wait for csha1_lanes_confirm, as the kernels do with a block of message
/// `number` that meets the conditions of a vector. `before` and `after` are the chaining values
/// around it, or what is to be taken for them.
void csha1_lanes_suspect(csha1_lanes *lanes, uint32_t number, unsigned vector,
                         const uint8_t block[CSHA1_BLOCK], const uint32_t before[5],
                         const uint32_t after[5]);

typedef struct {
    uint64_t total;
    uint32_t state[8];
    uint8_t pending[64];
} csha256_context;

void csha256_init(csha256_context *context);
void csha256_update(csha256_context *context, const void *bytes, size_t count);
void csha256_final(csha256_context *context, uint8_t digest[CSHA256_DIGEST]);

#endif
