// The kernel of four lanes, in the 16-byte vectors that every 64-bit processor has: NEON, SSE2.
#include "kernel.h"

#define LANES 4
#define LANES_NAME(x) quad_##x
#define LANES_TARGET
#define LANES_FEW 2
#define LANES_TRANSPOSE(rows) quad_transpose(rows)
#define LANES_SWAP(x) quad_swap(x)
#define LANES_NONZERO(x) quad_nonzero(x)

typedef uint32_t words __attribute__((vector_size(16)));

static inline void quad_transpose(words *x) {
    const words a = x[0], b = x[1], c = x[2], d = x[3];
    x[0] = (words){a[0], b[0], c[0], d[0]};
    x[1] = (words){a[1], b[1], c[1], d[1]};
    x[2] = (words){a[2], b[2], c[2], d[2]};
    x[3] = (words){a[3], b[3], c[3], d[3]};
}

static inline words quad_swap(words x) {
    const words pairs = (x << 8 & 0xff00ff00) | (x >> 8 & 0x00ff00ff);
    return pairs << 16 | pairs >> 16;
}

static inline uint32_t quad_nonzero(words x) {
    return (x[0] != 0) | (x[1] != 0) << 1 | (x[2] != 0) << 2 | (x[3] != 0) << 3;
}

#include "lanes.h"

static bool runs(void) { return true; }

#if defined(__aarch64__)
const csha1_kernel csha1_quad = {"neon", runs, NULL, &quad_kernel};
#else
const csha1_kernel csha1_quad = {"sse2", runs, NULL, &quad_kernel};
#endif
