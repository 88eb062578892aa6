// What a kernel is made of, and what all kernels share.
#ifndef CSHA1_KERNEL_H
#define CSHA1_KERNEL_H

#include "csha1.h"

typedef struct {
    const char *name;
    bool (*runs)(void);
    /// Hashes `count` blocks into `state`.
    void (*plain)(uint32_t state[5], const uint8_t *blocks, size_t count);
    /// The same; true when one of them is half of a collision.
    bool (*detecting)(uint32_t state[5], const uint8_t *blocks, size_t count);
    /// Two parts of `detecting`, for tests: the words of a block, W[t] at 79 - t, and the vectors
    /// whose conditions such words meet.
    void (*expand)(const uint8_t block[CSHA1_BLOCK], uint32_t schedule[80]);
    uint32_t (*candidates)(const uint32_t schedule[80]);
} csha1_kernel;

extern const csha1_kernel csha1_portable;
#if defined(__x86_64__)
extern const csha1_kernel csha1_shani;
#endif

/// Tries the other block of each candidate vector: whether one of them leads to the chaining value
/// `after`, too.
///
/// `schedule` is the expanded block, W[t] at 79 - t; `before` and `after` the chaining values
/// around it.
bool csha1_confirm(const uint32_t before[5], const uint32_t after[5], const uint32_t schedule[80],
                   uint32_t candidates);

static inline uint32_t csha1_rotate(uint32_t x, unsigned n) { return x << n | x >> (-n & 31); }

/// Round function `quarter` (t / 20), with its constant.
static inline uint32_t csha1_mix(unsigned quarter, uint32_t b, uint32_t c, uint32_t d) {
    switch (quarter) {
    case 0: return (d ^ (b & (c ^ d))) + UINT32_C(0x5a827999);
    case 1: return (b ^ c ^ d) + UINT32_C(0x6ed9eba1);
    case 2: return ((b & c) | (d & (b | c))) + UINT32_C(0x8f1bbcdc);
    default: return (b ^ c ^ d) + UINT32_C(0xca62c1d6);
    }
}

#endif
