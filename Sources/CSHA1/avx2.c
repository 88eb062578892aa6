// The kernel of eight lanes, for AVX2.
#if defined(__x86_64__)

#include <immintrin.h>

#include "kernel.h"

#define LANES 8
#define LANES_NAME(x) avx2_##x
#define LANES_TARGET __attribute__((target("avx2")))
#define LANES_FEW 4
#define LANES_TRANSPOSE(rows) avx2_transpose((__m256i *)(rows))
#define LANES_SWAP(x) avx2_swap((__m256i)(x))
#define LANES_NONZERO(x) avx2_nonzero((__m256i)(x))
#define INLINE LANES_TARGET __attribute__((always_inline)) static inline

typedef uint32_t words __attribute__((vector_size(32)));

/// Rows of 8 words to columns: pairs and fours of rows within the halves, then the halves.
INLINE void avx2_transpose(__m256i *x) {
    __m256i y[8];
    for (int i = 0; i < 8; i += 2) {
        y[i] = _mm256_unpacklo_epi32(x[i], x[i + 1]);
        y[i + 1] = _mm256_unpackhi_epi32(x[i], x[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        x[i] = _mm256_unpacklo_epi64(y[i], y[i + 2]);
        x[i + 1] = _mm256_unpackhi_epi64(y[i], y[i + 2]);
        x[i + 2] = _mm256_unpacklo_epi64(y[i + 1], y[i + 3]);
        x[i + 3] = _mm256_unpackhi_epi64(y[i + 1], y[i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        y[i] = _mm256_permute2x128_si256(x[i], x[i + 4], 0x20);
        y[i + 4] = _mm256_permute2x128_si256(x[i], x[i + 4], 0x31);
    }
    for (int i = 0; i < 8; i++) x[i] = y[i];
}

INLINE words avx2_swap(__m256i x) {
    const __m128i order = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    return (words)_mm256_shuffle_epi8(x, _mm256_broadcastsi128_si256(order));
}

INLINE uint32_t avx2_nonzero(__m256i x) {
    const __m256i zero = _mm256_cmpeq_epi32(x, _mm256_setzero_si256());
    return ~(uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(zero)) & 0xff;
}

#undef INLINE
#include "lanes.h"

static bool runs(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2");
}

const csha1_kernel csha1_avx2 = {"avx2", runs, NULL, &avx2_kernel};

#endif
