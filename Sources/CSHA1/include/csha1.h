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
// The work is done by a kernel: portable C, or the SHA instructions of x86. The fastest that the
// processor runs is chosen once; APUS_SHA1_KERNEL=portable|shani in the environment overrides
// that where the processor allows. Every kernel gives the same digests and the same verdicts.
#ifndef CSHA1_H
#define CSHA1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CSHA1_DIGEST = 20, CSHA256_DIGEST = 32, CSHA1_BLOCK = 64, CSHA1_VECTORS = 32 };

/// The kernels, by number; csha1_kernel_name is null after the last.
enum { CSHA1_PORTABLE = 0, CSHA1_SHANI = 1 };

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

/// For tests: the 80 words of a block as the kernel makes them, W[t] at 79 - t.
bool csha1_expand(uint8_t kernel, const uint8_t block[CSHA1_BLOCK], uint32_t schedule[80]);

/// For tests: the disturbance vectors whose conditions the words meet, one bit each, found as the
/// kernel finds them (0 when the processor cannot run it).
uint32_t csha1_candidates(uint8_t kernel, const uint32_t schedule[80]);

/// For tests: the chaining value that the other block of vector `number` leads to.
/// `schedule` is this block expanded; `before` and `after` are the chaining values around it.
void csha1_counterpart(unsigned number, const uint32_t before[5], const uint32_t after[5],
                       const uint32_t schedule[80], uint32_t other[5]);

typedef struct {
    uint64_t total;
    uint32_t state[8];
    uint8_t pending[64];
} csha256_context;

void csha256_init(csha256_context *context);
void csha256_update(csha256_context *context, const void *bytes, size_t count);
void csha256_final(csha256_context *context, uint8_t digest[CSHA256_DIGEST]);

#endif
