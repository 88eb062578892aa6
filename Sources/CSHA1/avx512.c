// The kernel of sixteen lanes, for AVX-512.
#if defined(__x86_64__)

#include <immintrin.h>

#include "kernel.h"

#define LANES 16
#define LANES_NAME(x) avx512_##x
#define LANES_TARGET __attribute__((target("avx512f,avx512bw")))
#define LANES_FEW 4
#define LANES_TRANSPOSE(rows) avx512_transpose((__m512i *)(rows))
#define LANES_SWAP(x) avx512_swap((__m512i)(x))
#define LANES_NONZERO(x) _mm512_test_epi32_mask((__m512i)(x), (__m512i)(x))
#define LANES_REFUTE avx512_refute
#define INLINE LANES_TARGET __attribute__((always_inline)) static inline

typedef uint32_t words __attribute__((vector_size(64)));

/// Rows of 16 words to columns: pairs and fours of rows within the quarters, then the quarters.
INLINE void avx512_transpose(__m512i *x) {
    __m512i y[16];
    for (int i = 0; i < 16; i += 2) {
        y[i] = _mm512_unpacklo_epi32(x[i], x[i + 1]);
        y[i + 1] = _mm512_unpackhi_epi32(x[i], x[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        x[i] = _mm512_unpacklo_epi64(y[i], y[i + 2]);
        x[i + 1] = _mm512_unpackhi_epi64(y[i], y[i + 2]);
        x[i + 2] = _mm512_unpacklo_epi64(y[i + 1], y[i + 3]);
        x[i + 3] = _mm512_unpackhi_epi64(y[i + 1], y[i + 3]);
    }
    enum { EVEN = 0x88, ODD = 0xdd };  // quarters 0 and 2 of both, or 1 and 3
    for (int i = 0; i < 4; i++) {
        y[i] = _mm512_shuffle_i32x4(x[i], x[i + 4], EVEN);
        y[i + 4] = _mm512_shuffle_i32x4(x[i], x[i + 4], ODD);
        y[i + 8] = _mm512_shuffle_i32x4(x[i + 8], x[i + 12], EVEN);
        y[i + 12] = _mm512_shuffle_i32x4(x[i + 8], x[i + 12], ODD);
    }
    for (int i = 0; i < 8; i++) {
        x[i] = _mm512_shuffle_i32x4(y[i], y[i + 8], EVEN);
        x[i + 8] = _mm512_shuffle_i32x4(y[i], y[i + 8], ODD);
    }
}

INLINE words avx512_swap(__m512i x) {
    const __m128i order = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    return (words)_mm512_shuffle_epi8(x, _mm512_broadcast_i32x4(order));
}

// The compiler makes four instructions of this where two do.
INLINE words avx512_refute(words refuted, words x, int bit, int differ, uint32_t vectors) {
    const __m512i mask = _mm512_set1_epi32((int)(UINT32_C(1) << bit)), old = (__m512i)refuted;
    const __mmask16 where = differ ? _mm512_testn_epi32_mask((__m512i)x, mask)
                                   : _mm512_test_epi32_mask((__m512i)x, mask);
    return (words)_mm512_mask_or_epi32(old, where, old, _mm512_set1_epi32((int)vectors));
}

#undef INLINE
#include "lanes.h"

static bool runs(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
}

const csha1_kernel csha1_avx512 = {"avx512", runs, NULL, &avx512_kernel};

#endif
