// The kernel in plain C. The conditions are tested four steps at a time in the 16-byte vectors of
// the compiler, which every 64-bit processor has (SSE2, NEON).
#include "kernel.h"

#define CANDIDATES candidates16
#define LANE_BYTES 16
#define LANE_TARGET
#include "candidates.h"

static uint32_t load(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/// Word t of the schedule, from four before it; W[t] is at 79 - t.
static inline uint32_t expanded(const uint32_t *w, int t) {
    return csha1_rotate(w[3 - t] ^ w[8 - t] ^ w[14 - t] ^ w[16 - t], 1);
}

// One step; the caller turns the names instead of moving the values. Only the last sum waits for
// the step before.
#define STEP(a, b, c, d, e, quarter, t)                                                 \
    w[-(t)] = (t) < 16 ? load(block + 4 * (t)) : expanded(w, t);                        \
    e += w[-(t)] + csha1_mix(quarter, b, c, d);                                         \
    e += csha1_rotate(a, 5);                                                            \
    b = csha1_rotate(b, 30);

#define FIVE(quarter, t)                      \
    STEP(a, b, c, d, e, quarter, t)           \
    STEP(e, a, b, c, d, quarter, (t) + 1)     \
    STEP(d, e, a, b, c, quarter, (t) + 2)     \
    STEP(c, d, e, a, b, quarter, (t) + 3)     \
    STEP(b, c, d, e, a, quarter, (t) + 4)

/// Hashes a block into `state`, and leaves its schedule.
static inline void compress(uint32_t state[5], const uint8_t *block, uint32_t schedule[80]) {
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    uint32_t *w = schedule + 79;
    FIVE(0, 0) FIVE(0, 5) FIVE(0, 10) FIVE(0, 15)
    FIVE(1, 20) FIVE(1, 25) FIVE(1, 30) FIVE(1, 35)
    FIVE(2, 40) FIVE(2, 45) FIVE(2, 50) FIVE(2, 55)
    FIVE(3, 60) FIVE(3, 65) FIVE(3, 70) FIVE(3, 75)
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

static void plain(uint32_t state[5], const uint8_t *blocks, size_t count) {
    uint32_t schedule[80];
    for (; count > 0; count--, blocks += CSHA1_BLOCK) compress(state, blocks, schedule);
}

static bool detecting(uint32_t state[5], const uint8_t *blocks, size_t count) {
    uint32_t schedule[80], before[5];
    bool attacked = false;
    for (; count > 0; count--, blocks += CSHA1_BLOCK) {
        memcpy(before, state, sizeof before);
        compress(state, blocks, schedule);
        uint32_t met = candidates16(schedule);
        if (__builtin_expect(met != 0, 0)) attacked |= csha1_confirm(before, state, schedule, met);
    }
    return attacked;
}

static void expand(const uint8_t block[CSHA1_BLOCK], uint32_t schedule[80]) {
    uint32_t state[5] = {0};
    compress(state, block, schedule);
}

static uint32_t candidates(const uint32_t schedule[80]) { return candidates16(schedule); }

static bool runs(void) { return true; }

static const csha1_single single = {plain, detecting, expand, candidates};

const csha1_kernel csha1_portable = {"portable", runs, &single, NULL};
