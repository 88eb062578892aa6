// SHA-256 (FIPS 180-4) in plain C, for repositories whose objectFormat is sha256. No attack on it
// is known, so there is nothing to detect.
//
//     message, 0x80, zeros up to 8 bytes before the end of a block, number of bits (64, big-endian)
#include <string.h>

#include "csha1.h"

enum { BLOCK = 64, LENGTH = BLOCK - 8 };

static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static inline uint32_t rotate(uint32_t x, unsigned n) { return x >> n | x << (32 - n); }

static void hash_block(uint32_t state[8], const uint8_t *block) {
    uint32_t w[64], s[8];
    for (int t = 0; t < 16; t++) {
        const uint8_t *p = block + 4 * t;
        w[t] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    }
    for (int t = 16; t < 64; t++) {
        uint32_t x = w[t - 15], y = w[t - 2];
        w[t] = w[t - 16] + (rotate(x, 7) ^ rotate(x, 18) ^ x >> 3) + w[t - 7]
             + (rotate(y, 17) ^ rotate(y, 19) ^ y >> 10);
    }
    memcpy(s, state, sizeof s);
    for (int t = 0; t < 64; t += 8) {
        // The names turn instead of the values: in step i, a is s[-i mod 8].
        for (int i = 0; i < 8; i++) {
#define NAMED(n) s[((n) - i) & 7]
            uint32_t a = NAMED(0), e = NAMED(4);
            uint32_t first = NAMED(7) + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25))
                           + (NAMED(6) ^ (e & (NAMED(5) ^ NAMED(6)))) + constants[t + i] + w[t + i];
            uint32_t second = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22))
                            + ((a & NAMED(1)) | (NAMED(2) & (a | NAMED(1))));
            NAMED(3) += first;
            NAMED(7) = first + second;
#undef NAMED
        }
    }
    for (int i = 0; i < 8; i++) state[i] += s[i];
}

void csha256_init(csha256_context *context) {
    static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    context->total = 0;
    memcpy(context->state, initial, sizeof initial);
}

void csha256_update(csha256_context *context, const void *bytes, size_t count) {
    const uint8_t *next = bytes;
    size_t held = context->total % BLOCK;
    context->total += count;
    if (held > 0) {
        size_t room = BLOCK - held, taken = count < room ? count : room;
        if (taken > 0) memcpy(context->pending + held, next, taken);
        if (taken < room) return;
        hash_block(context->state, context->pending);
        next += taken;
        count -= taken;
    }
    for (; count >= BLOCK; count -= BLOCK, next += BLOCK) hash_block(context->state, next);
    if (count > 0) memcpy(context->pending, next, count);
}

void csha256_final(csha256_context *context, uint8_t digest[CSHA256_DIGEST]) {
    uint64_t bits = context->total << 3;
    size_t held = context->total % BLOCK;
    uint8_t *block = context->pending;
    block[held++] = 0x80;
    if (held > LENGTH) {
        memset(block + held, 0, BLOCK - held);
        hash_block(context->state, block);
        held = 0;
    }
    memset(block + held, 0, LENGTH - held);
    for (int i = 0; i < 8; i++) block[LENGTH + i] = (uint8_t)(bits >> (56 - 8 * i));
    hash_block(context->state, block);
    for (int i = 0; i < CSHA256_DIGEST; i++)
        digest[i] = (uint8_t)(context->state[i / 4] >> (24 - 8 * (i % 4)));
}
