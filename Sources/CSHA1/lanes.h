// SHA-1 of LANES messages at once, each in a lane of the vectors: a template.
//
// Included with these defined, it defines the csha1_parallel LANES_NAME(kernel):
//     LANES                  4, 8 or 16
//     LANES_NAME(x)          the name of a function x
//     LANES_TARGET           attributes of the functions, or nothing
//     LANES_FEW              see csha1_parallel
//     LANES_TRANSPOSE(rows)  makes the rows of LANES vectors columns
//     LANES_SWAP(x)          the words of x with their bytes reversed
//     LANES_NONZERO(x)       a bit for each lane that is not zero
//     LANES_REFUTE(refuted, x, bit, differ, vectors)
//                            refuted, with `vectors` added in the lanes where `bit` of x is set or,
//                            with `differ`, where it is not; may be left out
//
// A vector holds one word of LANES messages. The conditions of the disturbance vectors
// (disturbance.h) are tested on the schedule as it is: a row of the table costs an exclusive-or, a
// test of one bit, and collecting the refuted vectors. Blocks that meet all conditions of a vector
// wait, with the chaining values around them, until there is one for each lane; then their
// counterparts are tried in lanes, too.
#include <string.h>

#include "disturbance.h"
#include "kernel.h"

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 80")
#endif
#define INLINE LANES_TARGET __attribute__((always_inline)) static inline

typedef uint32_t vec __attribute__((vector_size(4 * LANES)));
typedef uint32_t unaligned_vec __attribute__((vector_size(4 * LANES), aligned(1), may_alias));

typedef struct {
    vec a, b, c, d, e;
} state;

INLINE vec rotate(vec x, int n) { return x << n | x >> (32 - n); }

INLINE vec mix(unsigned quarter, vec b, vec c, vec d) {
    switch (quarter) {
    case 0: return (b & c) | (~b & d);
    case 2: return (b & c) | (b & d) | (c & d);
    default: return b ^ c ^ d;
    }
}

INLINE uint32_t constant(unsigned quarter) {
    static const uint32_t constants[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
    return constants[quarter];
}

INLINE state step(state s, unsigned quarter, vec word) {
    // In this order only the last sum waits for the step before.
    vec a = s.e + (word + constant(quarter));
    a += mix(quarter, s.b, s.c, s.d);
    a += rotate(s.a, 5);
    return (state){a, s.a, rotate(s.b, 30), s.c, s.d};
}

INLINE state step_back(state s, unsigned quarter, vec word) {
    vec b = rotate(s.c, 2);
    vec e = s.a - rotate(s.b, 5) - mix(quarter, b, s.d, s.e) - (word + constant(quarter));
    return (state){s.b, b, s.d, s.e, e};
}

INLINE vec expanded(const vec *w, int t) {
    return rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
}

/// Sixteen words of a row each lane: `words[i]` is word i of all.
INLINE void load(vec words[16], const void *const rows[LANES]) {
    UNROLL for (int part = 0; part < 16; part += LANES) {
        UNROLL for (int lane = 0; lane < LANES; lane++)
            words[part + lane] = *(const unaligned_vec *)((const uint8_t *)rows[lane] + 4 * part);
        LANES_TRANSPOSE(words + part);
    }
}

INLINE void load_blocks(vec words[16], const uint8_t *const blocks[LANES]) {
    load(words, (const void *const *)blocks);
    UNROLL for (int t = 0; t < 16; t++) words[t] = LANES_SWAP(words[t]);
}

INLINE state load_state(const uint32_t words[5][CSHA1_LANES]) {
    state s;
    memcpy(&s.a, words[0], sizeof s.a);
    memcpy(&s.b, words[1], sizeof s.b);
    memcpy(&s.c, words[2], sizeof s.c);
    memcpy(&s.d, words[3], sizeof s.d);
    memcpy(&s.e, words[4], sizeof s.e);
    return s;
}

INLINE void store_state(uint32_t words[5][CSHA1_LANES], state s) {
    memcpy(words[0], &s.a, sizeof s.a);
    memcpy(words[1], &s.b, sizeof s.b);
    memcpy(words[2], &s.c, sizeof s.c);
    memcpy(words[3], &s.d, sizeof s.d);
    memcpy(words[4], &s.e, sizeof s.e);
}

INLINE state sum(state x, state y) {
    return (state){x.a + y.a, x.b + y.b, x.c + y.c, x.d + y.d, x.e + y.e};
}

#ifndef LANES_REFUTE
INLINE vec LANES_NAME(refute)(vec refuted, vec x, int bit, int differ, uint32_t vectors) {
    typedef int32_t signs __attribute__((vector_size(4 * LANES)));
    vec set = (vec)((signs)(x << (31 - bit)) >> 31);
    return refuted | ((differ ? ~set : set) & vectors);
}
#define LANES_REFUTE LANES_NAME(refute)
#endif

/// The vectors that no row of the table refutes, but for late ones.
INLINE vec unrefuted(const vec w[80]) {
    vec refuted[2] = {{0}};  // two, so that a row need not wait for the one before
    UNROLL for (int i = 0; i < RELATION_STEPS; i++) {
        const int t = RELATION_LAST_STEP - i;
        UNROLL for (int r = 0; r < RELATIONS; r++) {
            const csha1_relation *relation = &csha1_relations[r];
            if (relation->refutes[i] == 0) continue;
            // The other word's bit, brought to where this one's is.
            vec other = w[t + relation->gap];
            const int turn = (32 + relation->low - relation->high) % 32;
            if (turn != 0) other = rotate(other, turn);
            refuted[i % 2] = LANES_REFUTE(refuted[i % 2], w[t] ^ other, relation->low,
                                          relation->differ, relation->refutes[i]);
        }
    }
    return ~(refuted[0] | refuted[1]);
}

/// Whether a late row refutes the vector in this lane.
INLINE bool refuted_late(const vec *w, unsigned lane, unsigned vector) {
    const csha1_late_rows *late = &csha1_late[vector];
    for (unsigned i = 0; i < late->count; i++) {
        const uint32_t word = w[late->row[i].t][lane];
        const uint32_t other = w[late->row[i].t + late->row[i].gap][lane];
        if (((word >> late->row[i].low ^ other >> late->row[i].high) & 1) != late->row[i].differ)
            return true;
    }
    return false;
}

LANES_TARGET static void LANES_NAME(confirm)(csha1_lanes *lanes, csha1_suspects *suspects) {
    const uint8_t *blocks[LANES];
    const void *changes[LANES];
    for (unsigned lane = 0; lane < LANES; lane++) {
        const unsigned suspect = lane < suspects->count ? lane : 0;
        blocks[lane] = suspects->block[suspect];
        changes[lane] = csha1_changes[suspects->vector[suspect]];
    }
    vec own[80], other[80];
    load_blocks(own, blocks);
    load(other, changes);
    for (int t = 0; t < 16; t++) other[t] ^= own[t];
    for (int t = 16; t < 80; t++) {
        own[t] = expanded(own, t);
        other[t] = expanded(other, t);
    }

    // The block's own last state is the sum that made `after`, undone.
    const state before = load_state(suspects->before), after = load_state(suspects->after);
    state common = {after.a - before.a, after.b - before.b, after.c - before.c,
                    after.d - before.d, after.e - before.e};
    const int meeting = suspects == lanes->suspects ? EARLY_MEETING : LATE_MEETING;
    for (int t = 79; t >= meeting; t--) common = step_back(common, (unsigned)t / 20, own[t]);
    state start = common, end = common;
    for (int t = meeting; t < 80; t++) end = step(end, (unsigned)t / 20, other[t]);
    for (int t = meeting - 1; t >= 0; t--) start = step_back(start, (unsigned)t / 20, other[t]);

    const state made = sum(start, end);
    const vec unequal = (made.a ^ after.a) | (made.b ^ after.b) | (made.c ^ after.c)
        | (made.d ^ after.d) | (made.e ^ after.e);
    for (unsigned lane = 0; lane < suspects->count; lane++)
        if (unequal[lane] == 0) lanes->attacked[suspects->message[lane]] = true;
    suspects->count = 0;
}

/// A block of each lane, after it was hashed.
typedef struct {
    vec w[80];
    state before, after;  // the chaining values around it
    const uint8_t *blocks[LANES];
    vec met;         // the vectors that no row refutes, but for late ones
    uint32_t found;  // a bit for each lane that has any
} hashed;

/// Out of the way of the loop: looks closer at the lanes that met the conditions of a vector.
LANES_TARGET __attribute__((noinline)) static void LANES_NAME(suspect)(csha1_lanes *lanes,
                                                                      const hashed *last) {
    uint32_t before[5][CSHA1_LANES], after[5][CSHA1_LANES];
    store_state(before, last->before);
    store_state(after, last->after);
    for (uint32_t found = last->found & ~lanes->idle; found != 0; found &= found - 1) {
        const unsigned lane = (unsigned)__builtin_ctz(found);
        uint32_t chaining[2][5];
        for (int word = 0; word < 5; word++) {
            chaining[0][word] = before[word][lane];
            chaining[1][word] = after[word][lane];
        }
        for (uint32_t vectors = last->met[lane]; vectors != 0; vectors &= vectors - 1) {
            const unsigned vector = (unsigned)__builtin_ctz(vectors);
            if (refuted_late(last->w, lane, vector)) continue;
            csha1_lanes_suspect(lanes, lanes->message[lane], vector, last->blocks[lane],
                                chaining[0], chaining[1]);
        }
    }
}

LANES_TARGET static void LANES_NAME(hash)(csha1_lanes *lanes, size_t count) {
    hashed turns[2];
    turns[0].found = turns[1].found = 0;
    const uint8_t *blocks[LANES];
    memcpy(blocks, lanes->next, sizeof blocks);
    state after = load_state(lanes->state);
    for (; count > 0; count--) {
        hashed *now = &turns[count % 2], *last = &turns[1 - count % 2];
        memcpy(now->blocks, blocks, sizeof blocks);
        now->before = after;
        load_blocks(now->w, blocks);
        UNROLL for (int t = 0; t < 80; t++) {
            if (t >= 16) now->w[t] = expanded(now->w, t);
            after = step(after, (unsigned)t / 20, now->w[t]);
        }
        after = now->after = sum(after, now->before);
        // No processor foresees where suspects are. Asked with the next block's steps under way, it
        // has work while it takes a wrong guess back.
        if (last->found != 0) LANES_NAME(suspect)(lanes, last);
        now->met = unrefuted(now->w);
        now->found = LANES_NONZERO(now->met);
        UNROLL for (int lane = 0; lane < LANES; lane++) blocks[lane] += CSHA1_BLOCK;
    }
    if (turns[1].found != 0) LANES_NAME(suspect)(lanes, &turns[1]);
    store_state(lanes->state, after);
    memcpy(lanes->next, blocks, sizeof blocks);
}

LANES_TARGET static void LANES_NAME(candidates)(const uint8_t *const *blocks, uint32_t *candidates) {
    vec w[80];
    load_blocks(w, blocks);
    for (int t = 16; t < 80; t++) w[t] = expanded(w, t);
    const vec met = unrefuted(w);
    for (unsigned lane = 0; lane < LANES; lane++) {
        candidates[lane] = met[lane];
        for (uint32_t vectors = met[lane]; vectors != 0; vectors &= vectors - 1) {
            const unsigned vector = (unsigned)__builtin_ctz(vectors);
            if (refuted_late(w, lane, vector)) candidates[lane] &= ~(UINT32_C(1) << vector);
        }
    }
}

static const csha1_parallel LANES_NAME(kernel) = {
    LANES, LANES_FEW, LANES_NAME(hash), LANES_NAME(confirm), LANES_NAME(candidates)};

#undef INLINE
#undef UNROLL
