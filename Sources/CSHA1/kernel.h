// What a kernel is made of, and what all kernels share.
#ifndef CSHA1_KERNEL_H
#define CSHA1_KERNEL_H

#include "csha1.h"

typedef struct csha1_suspects csha1_suspects;

/// What a kernel that hashes one message at a time is made of.
typedef struct {
    /// Hashes `count` blocks into `state`.
    void (*plain)(uint32_t state[5], const uint8_t *blocks, size_t count);
    /// The same; true when one of them is half of a collision.
    bool (*detecting)(uint32_t state[5], const uint8_t *blocks, size_t count);
    /// Two parts of `detecting`, for tests: the words of a block, W[t] at 79 - t, and the vectors
    /// whose conditions such words meet.
    void (*expand)(const uint8_t block[CSHA1_BLOCK], uint32_t schedule[80]);
    uint32_t (*candidates)(const uint32_t schedule[80]);
} csha1_single;

/// What a kernel that hashes several messages at a time is made of.
typedef struct {
    unsigned lanes;
    /// So many messages are hashed faster one after the other, where SHA instructions do that.
    unsigned few;
    /// Hashes `count` blocks of each lane, from `lanes->next` on, which it moves.
    void (*hash)(csha1_lanes *lanes, size_t count);
    /// Tries the counterparts of suspects, and leaves none.
    void (*confirm)(csha1_lanes *lanes, csha1_suspects *suspects);
    /// For tests: the vectors whose conditions each lane's block meets.
    void (*candidates)(const uint8_t *const *blocks, uint32_t *met);
} csha1_parallel;

/// A kernel lacks one of the two: for single messages another kernel stands in.
typedef struct {
    const char *name;
    bool (*runs)(void);
    const csha1_single *single;
    const csha1_parallel *parallel;
} csha1_kernel;

extern const csha1_kernel csha1_portable, csha1_quad;
#if defined(__x86_64__)
extern const csha1_kernel csha1_shani, csha1_avx2, csha1_avx512;
#endif

/// What hashes single messages for a kernel.
const csha1_single *csha1_single_of(uint8_t kernel);

/// What hashes several messages for a kernel; null when it cannot.
const csha1_parallel *csha1_parallel_of(uint8_t kernel);

/// The chaining value before the first block.
extern const uint32_t csha1_initial[5];

/// Tries the other block of each candidate vector: whether one of them leads to the chaining value
/// `after`, too.
///
/// `schedule` is the expanded block, W[t] at 79 - t; `before` and `after` the chaining values
/// around it.
bool csha1_confirm(const uint32_t before[5], const uint32_t after[5], const uint32_t schedule[80],
                   uint32_t candidates);

// A vector's two blocks have the same state from where the disturbances before word K+15 are
// cancelled, six steps after the last at the most, until step K+15 makes the next. The states
// before steps 58 and 65 serve all vectors.
enum { MEETINGS = 2, EARLY_MEETING = 58, LATE_MEETING = 65 };

/// Blocks that meet the conditions of a vector, one a lane, whose counterparts are to be tried.
struct csha1_suspects {
    unsigned count;
    uint8_t vector[CSHA1_LANES];
    uint32_t message[CSHA1_LANES];
    _Alignas(64) uint32_t before[5][CSHA1_LANES];
    _Alignas(64) uint32_t after[5][CSHA1_LANES];
    _Alignas(64) uint8_t block[CSHA1_LANES][CSHA1_BLOCK];
};

struct csha1_lanes {
    _Alignas(64) uint32_t state[5][CSHA1_LANES];  // chaining values: a word of all lanes in a row
    _Alignas(64) uint32_t left[CSHA1_LANES];  // blocks from there on; UINT32_MAX for an idle lane
    const uint8_t *next[CSHA1_LANES];
    uint32_t message[CSHA1_LANES];
    uint32_t idle;  // a bit for each lane whose blocks do not count
    const csha1_parallel *kernel;
    const csha1_single *single;
    csha1_suspects suspects[MEETINGS];
    bool attacked[CSHA1_MESSAGES];
};

/// The changes of a block's words that each vector makes; the expansion makes the others of them.
extern uint32_t csha1_changes[CSHA1_VECTORS][16];

/// 0 where a vector's blocks meet at EARLY_MEETING, 1 for LATE_MEETING.
unsigned csha1_meeting_of(unsigned vector);

/// The rows of `late` by vector: where bit `low` of W[t] xor bit `high` of W[t + gap] is not
/// `differ`, the vector is refuted.
typedef struct {
    uint8_t count;
    struct {
        uint8_t t, gap, low, high, differ;
    } row[16];
} csha1_late_rows;

extern csha1_late_rows csha1_late[CSHA1_VECTORS];

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
