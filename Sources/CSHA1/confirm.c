// Trying the other block of a collision: see disturbance.h.
//
// The differences of a vector's message follow from its definition. A disturbance in step i, bit j
// changes W[i] in bit j; the five words after it change in bits j+5, j, j+30, j+30, j+30 to cancel
// it. All is invariant under rotation, and depends on t - K only: two sequences, of I(0,0) and
// II(0,0), serve all 32 vectors.
//
// After the disturbances before word K+15 have been cancelled, and before step K+15 makes the next,
// the two blocks have one and the same state. Starting there with the changed words, backwards to
// step 0 and forwards to step 80, gives the other chaining values.
#include <string.h>

#include "disturbance.h"
#include "kernel.h"

enum {
    LARGEST_K = 56,
    SMALLEST_K = 43,
    STEPS = LARGEST_K + 80 - SMALLEST_K,  // t - K, from -56 to 36
    BEFORE = LARGEST_K + 5,               // words of the vector needed before t = K
};

/// The differences that vector (type, K, b) makes: those of W[t] at [type][b][36 - (t - K)],
/// backwards like a schedule.
static uint32_t differences[2][3][STEPS];

/// Word t - K of the differences of I(0,0) or II(0,0), whose word 0 is *k.
static uint32_t difference(const uint32_t *k) {
    return k[0] ^ csha1_rotate(k[-1], 5) ^ k[-2] ^ csha1_rotate(k[-3] ^ k[-4] ^ k[-5], 30);
}

typedef struct {
    unsigned type, k, b;
} vector;

/// The vector of a bit number, as disturbance.h numbers them.
static vector vector_of(unsigned number) {
    if (number < 10) return (vector){DV_TYPE1, 43 + number, 0};
    if (number < 16) return (vector){DV_TYPE1, 46 + number - 10, 2};
    if (number < 28) return (vector){DV_TYPE2, 45 + number - 16, 0};
    return (vector){DV_TYPE2, number == 28 ? 46 : 49 + number - 29, 2};
}

uint32_t csha1_changes[CSHA1_VECTORS][16];
csha1_late_rows csha1_late[CSHA1_VECTORS];

unsigned csha1_meeting_of(unsigned number) {
    // The last disturbance of a cancelled run is in word K+3 of type II, before word K of type I.
    vector v = vector_of(number);
    return v.k + (v.type == DV_TYPE2 ? 9 : 5) > EARLY_MEETING;
}

static void list_late_rows(void) {
    for (unsigned r = 0; r < RELATIONS; r++) {
        const csha1_relation *relation = &csha1_relations[r];
        for (unsigned i = 0; i < RELATION_STEPS; i++) {
            for (uint32_t set = relation->late[i]; set != 0; set &= set - 1) {
                csha1_late_rows *rows = &csha1_late[__builtin_ctz(set)];
                rows->row[rows->count].t = (uint8_t)(RELATION_LAST_STEP - i);
                rows->row[rows->count].gap = relation->gap;
                rows->row[rows->count].low = relation->low;
                rows->row[rows->count].high = relation->high;
                rows->row[rows->count].differ = relation->differ;
                rows->count++;
            }
        }
    }
}

/// Fills the tables, before anything can ask for them.
__attribute__((constructor)) static void derive(void) {
    for (int type = 0; type < 2; type++) {
        uint32_t words[BEFORE + STEPS] = {0}, *k = words + BEFORE;
        k[15] = 1;
        if (type == DV_TYPE2) k[1] = k[3] = UINT32_C(1) << 31;
        for (int t = 16; t < STEPS - LARGEST_K; t++)
            k[t] = csha1_rotate(k[t - 3] ^ k[t - 8] ^ k[t - 14] ^ k[t - 16], 1);
        for (int t = -1; t >= -BEFORE; t--)
            k[t] = csha1_rotate(k[t + 16], 31) ^ k[t + 13] ^ k[t + 8] ^ k[t + 2];
        for (int i = 0; i < STEPS; i++)
            for (unsigned b = 0; b < 3; b += 2)
                differences[type][b][i] = csha1_rotate(difference(k + 79 - SMALLEST_K - i), b);
    }
    for (unsigned number = 0; number < CSHA1_VECTORS; number++) {
        vector v = vector_of(number);
        for (unsigned t = 0; t < 16; t++)
            csha1_changes[number][t] = differences[v.type][v.b][79 - t + v.k - SMALLEST_K];
    }
    list_late_rows();
}

typedef struct {
    uint32_t a, b, c, d, e;
} state;

static inline state step(state s, unsigned quarter, uint32_t word) {
    uint32_t next = s.e + word + csha1_mix(quarter, s.b, s.c, s.d) + csha1_rotate(s.a, 5);
    return (state){next, s.a, csha1_rotate(s.b, 30), s.c, s.d};
}

static inline state step_back(state s, unsigned quarter, uint32_t word) {
    uint32_t b = csha1_rotate(s.c, 2);
    uint32_t e = s.a - word - csha1_rotate(s.b, 5) - csha1_mix(quarter, b, s.d, s.e);
    return (state){s.b, b, s.d, s.e, e};
}

/// From the state before step `from`, at least 40, to that before step 80; the words of the
/// schedule, backwards, are w ^ x.
static inline state forward(state s, const uint32_t *w, const uint32_t *x, unsigned from) {
    unsigned t = from;
    for (; t < 60; t++) s = step(s, 2, w[79 - t] ^ x[79 - t]);
    for (; t < 80; t++) s = step(s, 3, w[79 - t] ^ x[79 - t]);
    return s;
}

/// From the state before step `from` to that before step 0.
static inline state backward(state s, const uint32_t *w, const uint32_t *x, unsigned from) {
    unsigned t = from;
    for (; t > 60; t--) s = step_back(s, 3, w[80 - t] ^ x[80 - t]);
    for (; t > 40; t--) s = step_back(s, 2, w[80 - t] ^ x[80 - t]);
    for (; t > 20; t--) s = step_back(s, 1, w[80 - t] ^ x[80 - t]);
    for (; t > 0; t--) s = step_back(s, 0, w[80 - t] ^ x[80 - t]);
    return s;
}

void csha1_counterpart(unsigned number, const uint32_t before[5], const uint32_t after[5],
                       const uint32_t schedule[80], uint32_t other[5]) {
    vector v = vector_of(number % CSHA1_VECTORS);
    const uint32_t *changes = differences[v.type][v.b] + v.k - SMALLEST_K;
    unsigned meeting = v.k + 15;

    // The block's own last state is the sum that made `after`, undone.
    state common = {after[0] - before[0], after[1] - before[1], after[2] - before[2],
                    after[3] - before[3], after[4] - before[4]};
    for (unsigned t = 80; t > meeting; t--)
        common = step_back(common, t > 60 ? 3 : 2, schedule[80 - t]);
    state end = forward(common, schedule, changes, meeting);
    state start = backward(common, schedule, changes, meeting);
    other[0] = start.a + end.a;
    other[1] = start.b + end.b;
    other[2] = start.c + end.c;
    other[3] = start.d + end.d;
    other[4] = start.e + end.e;
}

bool csha1_confirm(const uint32_t before[5], const uint32_t after[5], const uint32_t schedule[80],
                   uint32_t candidates) {
    for (; candidates != 0; candidates &= candidates - 1) {
        uint32_t other[5];
        csha1_counterpart((unsigned)__builtin_ctz(candidates), before, after, schedule, other);
        if (memcmp(other, after, sizeof other) == 0) return true;
    }
    return false;
}
