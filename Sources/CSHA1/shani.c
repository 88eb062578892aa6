// The kernel for the SHA instructions of x86 (SHA-NI), with AVX2 for the conditions.
//
// The instructions hold four words in a register, the earliest in the highest lane; a block's 80
// words are 20 such groups. sha1rnds4 does four steps; what is `e` for them is the `a` of four
// steps before, rotated, and sha1nexte adds that to the group of words. So, within a block, the
// state is two registers: `abcd`, and the `abcd` of four steps before.
#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

#include "kernel.h"

#define TARGET __attribute__((target("sha,avx2,bmi,bmi2")))

#define CANDIDATES candidates32
#define LANE_BYTES 32
#define LANE_TARGET TARGET __attribute__((always_inline))
#include "candidates.h"

typedef struct {
    __m128i abcd, e;  // e in the highest lane, the others 0
} registers;

TARGET static inline registers load(const uint32_t state[5]) {
    __m128i abcd = _mm_loadu_si128((const __m128i *)state);
    return (registers){_mm_shuffle_epi32(abcd, 0x1b), _mm_set_epi32((int)state[4], 0, 0, 0)};
}

TARGET static inline void store(registers r, uint32_t state[5]) {
    _mm_storeu_si128((__m128i *)state, _mm_shuffle_epi32(r.abcd, 0x1b));
    state[4] = (uint32_t)_mm_extract_epi32(r.e, 3);
}

/// Hashes one block; its schedule, W[t] at 79 - t, goes to `schedule` unless that is null.
TARGET __attribute__((always_inline)) static inline registers compress(
    registers in, const uint8_t *block, uint32_t *schedule) {
    const __m128i order = _mm_set_epi64x(0x0001020304050607, 0x08090a0b0c0d0e0f);
    __m128i abcd = in.abcd, previous, words, w[4];

#define KEEP(group)                                                                     \
    if (schedule) _mm_store_si128((__m128i *)(schedule + 76 - 4 * (group)), words);
#define FOUR_STEPS(quarter, sum)                                                        \
    {                                                                                   \
        __m128i added = sum;                                                            \
        previous = abcd;                                                                \
        abcd = _mm_sha1rnds4_epu32(abcd, added, quarter);                               \
    }
#define LOADED(group)                                                                   \
    words = _mm_loadu_si128((const __m128i *)(block + 16 * (group)));                   \
    words = _mm_shuffle_epi8(words, order);                                             \
    w[group] = words;                                                                   \
    KEEP(group)
#define EXPANDED(group)                                                                 \
    words = _mm_sha1msg1_epu32(w[(group) & 3], w[((group) + 1) & 3]);                   \
    words = _mm_xor_si128(words, w[((group) + 2) & 3]);                                 \
    words = _mm_sha1msg2_epu32(words, w[((group) + 3) & 3]);                            \
    w[(group) & 3] = words;                                                             \
    KEEP(group)                                                                         \
    FOUR_STEPS((group) / 5, _mm_sha1nexte_epu32(previous, words))

    LOADED(0) FOUR_STEPS(0, _mm_add_epi32(in.e, words))
    LOADED(1) FOUR_STEPS(0, _mm_sha1nexte_epu32(previous, words))
    LOADED(2) FOUR_STEPS(0, _mm_sha1nexte_epu32(previous, words))
    LOADED(3) FOUR_STEPS(0, _mm_sha1nexte_epu32(previous, words))
    EXPANDED(4) EXPANDED(5) EXPANDED(6) EXPANDED(7)
    EXPANDED(8) EXPANDED(9) EXPANDED(10) EXPANDED(11)
    EXPANDED(12) EXPANDED(13) EXPANDED(14) EXPANDED(15)
    EXPANDED(16) EXPANDED(17) EXPANDED(18) EXPANDED(19)

#undef EXPANDED
#undef LOADED
#undef FOUR_STEPS
#undef KEEP
    return (registers){_mm_add_epi32(abcd, in.abcd), _mm_sha1nexte_epu32(previous, in.e)};
}

TARGET static void plain(uint32_t state[5], const uint8_t *blocks, size_t count) {
    registers r = load(state);
    for (; count > 0; count--, blocks += CSHA1_BLOCK) r = compress(r, blocks, NULL);
    store(r, state);
}

/// Out of the way of the loop: one block in twenty comes here.
TARGET __attribute__((noinline)) static bool confirm(registers before, registers after,
                                                     const uint32_t *schedule, uint32_t met) {
    uint32_t old[5], new[5];
    store(before, old);
    store(after, new);
    return csha1_confirm(old, new, schedule, met);
}

TARGET static bool detecting(uint32_t state[5], const uint8_t *blocks, size_t count) {
    _Alignas(32) uint32_t schedule[80];
    registers r = load(state);
    bool attacked = false;
    for (; count > 0; count--, blocks += CSHA1_BLOCK) {
        registers before = r;
        r = compress(r, blocks, schedule);
        uint32_t met = candidates32(schedule);
        if (__builtin_expect(met != 0, 0)) attacked |= confirm(before, r, schedule, met);
    }
    store(r, state);
    return attacked;
}

TARGET static void expand(const uint8_t block[CSHA1_BLOCK], uint32_t schedule[80]) {
    _Alignas(16) uint32_t aligned[80];
    const uint32_t zero[5] = {0};
    compress(load(zero), block, aligned);
    memcpy(schedule, aligned, sizeof aligned);
}

TARGET static uint32_t candidates(const uint32_t schedule[80]) { return candidates32(schedule); }

static bool runs(void) {
    unsigned a, b, c, d;
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2")
        && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA) != 0;
}

static const csha1_single single = {plain, detecting, expand, candidates};

const csha1_kernel csha1_shani = {"shani", runs, &single, NULL};

#endif
