// The SHA-1 kernels without Swift around them, for Scripts/test-kernels.sh: digests, conditions and
// published collisions in every lane, of each kernel that runs here, against the portable one.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collisions.h"  // hexadecimal: collisions[]
#include "csha1.h"

static void check(bool holds, const char *what, uint8_t kernel) {
    if (holds) return;
    printf("%s: %s\n", csha1_kernel_name(kernel), what);
    exit(1);
}

static uint32_t random_number(void) {
    static uint64_t seed = 1;
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 40);
}

static void fill(uint8_t *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) bytes[i] = (uint8_t)random_number();
}

static bool single(uint8_t kernel, const uint8_t *message, size_t count, uint8_t digest[20]) {
    csha1_context context;
    check(csha1_init_kernel(&context, true, kernel), "does not start", kernel);
    csha1_update(&context, message, count);
    return csha1_final(&context, digest);
}

/// The whole blocks of a padded message, in memory that ends with them.
static uint8_t *padded(const uint8_t *message, size_t count, size_t *blocks) {
    *blocks = (count + 9 + 63) / 64;
    uint8_t *memory = calloc(*blocks, 64);
    if (!memory) abort();
    if (count > 0) memcpy(memory, message, count);
    memory[count] = 0x80;
    for (int i = 0; i < 8; i++) memory[64 * *blocks - 1 - i] = (uint8_t)((uint64_t)count << 3 >> 8 * i);
    return memory;
}

/// The message in lane `own`, random ones in some of the others.
static bool in_lane(uint8_t kernel, unsigned own, const uint8_t *message, size_t count,
                    uint8_t digest[20]) {
    csha1_lanes *lanes = csha1_lanes_new(kernel);
    const unsigned n = csha1_lane_count(kernel);
    uint8_t other[2000], *memory[CSHA1_LANES];
    size_t left[CSHA1_LANES] = {0};
    for (unsigned lane = 0; lane < n; lane++) {
        if (lane != own && random_number() % 3 == 0) continue;
        const size_t length = random_number() % sizeof other;
        fill(other, length);
        memory[lane] = lane == own ? padded(message, count, &left[lane])
                                   : padded(other, length, &left[lane]);
        csha1_lanes_start(lanes, lane, lane);
        csha1_lanes_feed(lanes, lane, memory[lane], (uint32_t)left[lane]);
    }
    for (uint32_t ended; (ended = csha1_lanes_hash(lanes)) != 0;) {
        for (; ended != 0; ended &= ended - 1) {
            const unsigned lane = (unsigned)__builtin_ctz(ended);
            if (lane == own) csha1_lanes_digest(lanes, lane, digest);
            csha1_lanes_idle(lanes, lane);
            free(memory[lane]);
        }
    }
    const bool any = csha1_lanes_confirm(lanes), attacked = csha1_lanes_attacked(lanes, own);
    check(any == attacked, "blames another lane", kernel);
    csha1_lanes_free(lanes);
    return attacked;
}

static void test_digests(uint8_t kernel) {
    static const uint8_t abc[] = "\xa9\x99\x3e\x36\x47\x06\x81\x6a\xba\x3e"
                                   "\x25\x71\x78\x50\xc2\x6c\x9c\xd0\xd8\x9d";
    uint8_t message[700], expected[20], digest[20];
    single(kernel, (const uint8_t *)"abc", 3, digest);
    check(memcmp(digest, abc, 20) == 0, "digest of abc", kernel);
    const unsigned n = csha1_lane_count(kernel);
    for (size_t count = 0; count < sizeof message; count++) {
        fill(message, count);
        check(!single(CSHA1_PORTABLE, message, count, expected), "blames the innocent", 0);
        check(!single(kernel, message, count, digest), "blames the innocent", kernel);
        check(memcmp(digest, expected, 20) == 0, "digest", kernel);
        if (n == 0) continue;
        check(!in_lane(kernel, count % n, message, count, digest), "blames the innocent", kernel);
        check(memcmp(digest, expected, 20) == 0, "digest in a lane", kernel);
    }
}

static void test_conditions(uint8_t kernel) {
    for (int round = 0; round < 2000; round++) {
        uint8_t block[CSHA1_LANES][64];
        const uint8_t *blocks[CSHA1_LANES];
        uint32_t found[CSHA1_LANES], words[80];
        fill(block[0], sizeof block);
        for (int lane = 0; lane < CSHA1_LANES; lane++) blocks[lane] = block[lane];
        csha1_lane_candidates(kernel, blocks, found);
        for (unsigned lane = 0; lane < CSHA1_LANES; lane++) {
            csha1_expand(CSHA1_PORTABLE, blocks[lane], words);
            const uint32_t met = csha1_candidates(CSHA1_PORTABLE, words);
            csha1_expand(kernel, blocks[lane], words);
            check(csha1_candidates(kernel, words) == met, "conditions", kernel);
            if (lane < csha1_lane_count(kernel))
                check(found[lane] == met, "conditions in a lane", kernel);
        }
    }
}

static void test_collisions(uint8_t kernel) {
    uint8_t message[1024], expected[20], digest[20];
    for (size_t i = 0; i < sizeof collisions / sizeof *collisions; i++) {
        size_t count = 0;
        for (const char *hex = collisions[i]; sscanf(hex, "%2hhx", &message[count]) == 1; hex += 2)
            count++;
        check(count > 300 && single(kernel, message, count, expected), "collision", kernel);
        for (unsigned lane = 0; lane < csha1_lane_count(kernel); lane++) {
            check(in_lane(kernel, lane, message, count, digest), "collision in a lane", kernel);
            check(memcmp(digest, expected, 20) == 0, "digest of a collision", kernel);
        }
    }
}

/// Suspects of all vectors. None is guilty: it is the tables and queues that are looked at.
static void test_suspects(uint8_t kernel) {
    csha1_lanes *lanes = csha1_lanes_new(kernel);
    if (!lanes) return;
    const uint32_t before[5] = {1, 2, 3, 4, 5}, after[5] = {6, 7, 8, 9, 10};
    uint8_t block[64];
    for (unsigned i = 0; i < CSHA1_MESSAGES; i++) {
        fill(block, sizeof block);
        csha1_lanes_suspect(lanes, i, i % CSHA1_VECTORS, block, before, after);
    }
    check(!csha1_lanes_confirm(lanes), "blames the innocent", kernel);
    csha1_lanes_free(lanes);
}

int main(void) {
    for (uint8_t kernel = 0; csha1_kernel_name(kernel); kernel++) {
        if (!csha1_kernel_runs(kernel)) continue;
        test_digests(kernel);
        test_conditions(kernel);
        test_collisions(kernel);
        test_suspects(kernel);
        printf(" %s", csha1_kernel_name(kernel));
    }
    printf("\n");
}
