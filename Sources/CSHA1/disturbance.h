// How a collision attack is noticed: the disturbance vectors, and the conditions they impose.
//
// Every known attack on SHA-1 follows a disturbance vector: a choice of steps in which a bit of the
// state is disturbed, each disturbance being cancelled in the five steps after it. The vector fixes
// which bits of the message differ between the two colliding blocks. So, given one block alone, the
// other is block ^ differences, and it is enough to try it: if it leads to the same chaining value
// from some other one before, the block at hand is half of a collision.
// (M. Stevens, "Counter-cryptanalysis", CRYPTO 2013.)
//
// Manuel's classes give the vectors: 16 words determine the other 64 by the message expansion.
//     I(K,b)   words K..K+14 are 0,                         word K+15 is 1 << b
//     II(K,b)  words K..K+14 are 0 but K+1 and K+3, which
//              are 1 << (b+31),                             word K+15 is 1 << b
// The 32 vectors here are those an attack could use; each is a bit of a 32-bit set.
//
// Trying 32 vectors a block costs 32 hashes. But for its cancellations to succeed in steps 35 to
// 64, a vector demands that certain pairs of bits of the expanded message be equal, or differ:
//     bit `low` of W[t]  against  bit `high` of W[t + gap]
// whatever the attack does elsewhere. A block that breaks one of the vector's conditions cannot be
// from an attack by it. One block in twenty meets all conditions of some vector; only then is the
// other block tried (confirm.c). No attack that trying all would find is missed.
// (M. Stevens, D. Shumow, "Speeding up detection of SHA-1 collision attacks using unavoidable
// attack conditions", USENIX Security 2017.)
//
// The conditions of a vector are linear equations, so any basis of the same space says the same.
// The basis below is chosen so that few kinds of relation (18) remain, and each holds for runs of
// neighbouring steps: a SIMD kernel tests several steps t at once. Schedules are kept backwards,
// W[t] at index 79 - t, as the SHA instructions of x86 leave them; so are the rows of the table.
//
// A vector has 7 to 17 conditions; the first few refute nearly all blocks. A row is `late` where it
// refutes hardly a block that the others do not: where many blocks are tested at once, those rows
// are tried on the few that pass the rest. They were chosen by taking away, one after the other,
// the row that lets the fewest more blocks pass; 51 of 159, which lets pass 6.0 % for 4.8 %.
#ifndef CSHA1_DISTURBANCE_H
#define CSHA1_DISTURBANCE_H

#include <stdint.h>

enum {
    DV_TYPE1 = 0,
    DV_TYPE2 = 1,
    RELATIONS = 18,
    RELATION_STEPS = 32,       // t from 32 to 63
    RELATION_LAST_STEP = 63,
};

// The vectors by bit number: I(43..52,0), I(46..51,2), II(45..56,0), II(46,2), II(49..51,2).
#define I0(k) (UINT32_C(1) << ((k) - 43))
#define I2(k) (UINT32_C(1) << ((k) - 46 + 10))
#define II0(k) (UINT32_C(1) << ((k) - 45 + 16))
#define II2(k) (UINT32_C(1) << ((k) == 46 ? 28 : (k) - 49 + 29))

typedef struct {
    // For t = 63, 62, … 32: the vectors refuted when the relation does not hold at step t.
    _Alignas(32) uint32_t refutes[RELATION_STEPS];
    // The same, for rows that are worth testing only where no other refutes a vector.
    _Alignas(32) uint32_t late[RELATION_STEPS];
    uint8_t gap, low, high;
    uint8_t differ;  // 1: the two bits must differ; 0: they must be equal
} csha1_relation;

#define AT(t, vectors) [RELATION_LAST_STEP - (t)] = (vectors)

static const csha1_relation csha1_relations[RELATIONS] = {
    {.gap = 1, .low = 0, .high = 5, .differ = 1,
     .refutes = {
         AT(36, II2(49)),
         AT(37, II2(50)),
         AT(38, II2(51)),
     },
     .late = {
         AT(58, I0(43)),
         AT(59, I0(44)),
         AT(60, I0(45) | II0(45)),
         AT(61, I0(46) | II0(46)),
         AT(62, I0(47) | II0(47)),
         AT(63, I0(48) | II0(48)),
     }},
    {.gap = 1, .low = 1, .high = 6, .differ = 1,
     .refutes = {
         AT(35, I2(46) | I2(49)),
         AT(36, I2(47) | I2(50) | II2(46)),
         AT(37, I2(48) | I2(51)),
         AT(38, I2(49)),
         AT(39, I2(46) | I2(50) | II2(49)),
         AT(40, I2(47) | I2(51) | II2(50)),
         AT(41, I2(48) | II2(46) | II2(51)),
         AT(42, I2(49)),
         AT(43, I2(50)),
         AT(44, I2(51) | II2(49)),
         AT(45, II2(50)),
         AT(46, II2(51)),
         AT(47, II2(46)),
         AT(63, I0(45) | II0(45)),
     },
     .late = {
         AT(61, I0(43)),
         AT(62, I0(44)),
     }},
    {.gap = 1, .low = 2, .high = 7, .differ = 1,
     .refutes = {
         AT(61, I2(46) | II2(46)),
         AT(62, I2(47)),
         AT(63, I2(48)),
     }},
    {.gap = 1, .low = 4, .high = 4, .differ = 1,
     .late = {
         AT(36, I0(50)),
         AT(37, I0(51)),
         AT(38, I0(52)),
     }},
    {.gap = 1, .low = 6, .high = 1, .differ = 0,
     .refutes = {
         AT(40, I2(50) | II2(49)),
         AT(41, I2(51) | II2(50)),
         AT(42, II2(46) | II2(51)),
         AT(45, II2(49)),
         AT(46, I2(46) | II2(50)),
         AT(47, I2(47) | II2(51)),
         AT(48, I2(48)),
         AT(49, I2(49)),
         AT(50, I2(50) | II2(46)),
         AT(53, II2(49)),
         AT(54, II2(50)),
         AT(55, II2(51)),
     },
     .late = {
         AT(51, I2(51)),
     }},
    {.gap = 1, .low = 6, .high = 6, .differ = 1,
     .refutes = {
         AT(37, I2(51)),
     }},
    {.gap = 1, .low = 29, .high = 29, .differ = 0,
     .refutes = {
         AT(40, I0(44) | I0(47) | I0(48) | II0(46) | II0(47) | II0(56)),
         AT(41, I0(45) | I0(48) | I0(49) | II0(47) | II0(48)),
         AT(42, I0(46) | I0(49) | I0(50) | II0(48) | II0(49)),
         AT(43, I0(47) | I0(50) | I0(51) | II0(45) | II0(49) | II0(50)),
         AT(44, I0(48) | I0(51) | I0(52) | II0(45) | II0(46) | II0(50) | II0(51)),
         AT(45, I0(49) | I0(52) | II0(46) | II0(47) | II0(51) | II0(52)),
         AT(46, I0(43) | I0(50) | II0(47) | II0(48) | II0(52) | II0(53)),
         AT(47, I0(44) | I0(51) | II0(48) | II0(49) | II0(53) | II0(54)),
         AT(48, I0(45) | I0(52) | II0(49) | II0(50) | II0(54) | II0(55)),
         AT(49, I0(46) | II0(45) | II0(50) | II0(51) | II0(55) | II0(56)),
         AT(50, I0(47) | II0(46) | II0(51) | II0(52) | II0(56)),
         AT(51, I0(48) | II0(47) | II0(52) | II0(53)),
         AT(52, I0(49) | II0(45) | II0(48) | II0(53) | II0(54)),
         AT(53, I0(50) | II0(46) | II0(49) | II0(54) | II0(55)),
         AT(54, I0(51) | II0(47) | II0(50) | II0(55) | II0(56)),
         AT(55, I0(52) | II0(48) | II0(51) | II0(56)),
         AT(56, II0(49) | II0(52)),
         AT(57, II0(50) | II0(53)),
         AT(58, II0(51) | II0(54)),
     },
     .late = {
         AT(59, II0(52)),
     }},
    {.gap = 2, .low = 1, .high = 1, .differ = 1,
     .refutes = {
         AT(38, I2(49)),
     }},
    {.gap = 2, .low = 4, .high = 4, .differ = 1,
     .refutes = {
         AT(36, II0(52) | II0(54)),
         AT(37, I0(43) | II0(53) | II0(55)),
         AT(38, I0(44) | II0(54) | II0(56)),
         AT(39, I0(43) | I0(45) | II0(55)),
         AT(40, I0(44) | I0(46) | II0(56)),
         AT(41, I0(43) | I0(45) | I0(47)),
         AT(42, I0(44) | I0(46) | I0(48)),
         AT(43, I0(45) | I0(47) | I0(49)),
         AT(44, I0(46) | I0(48) | I0(50)),
         AT(47, I0(49) | I0(51) | II0(45)),
     },
     .late = {
         AT(45, I0(47) | I0(49) | I0(51)),
         AT(46, I0(48) | I0(50) | I0(52)),
         AT(48, I0(50) | I0(52) | II0(46)),
         AT(49, I0(51) | II0(47)),
         AT(50, I0(52) | II0(48)),
         AT(51, II0(49)),
         AT(52, II0(50)),
         AT(53, II0(51)),
         AT(54, II0(52)),
         AT(55, II0(53)),
     }},
    {.gap = 2, .low = 4, .high = 29, .differ = 0,
     .late = {
         AT(56, II0(54)),
         AT(57, II0(55)),
     }},
    {.gap = 2, .low = 6, .high = 6, .differ = 0,
     .refutes = {
         AT(40, I2(46)),
         AT(41, I2(47)),
         AT(42, I2(46) | I2(48)),
         AT(43, I2(47) | I2(49)),
         AT(44, I2(46) | I2(48) | I2(50)),
         AT(45, I2(47) | I2(49) | I2(51)),
         AT(46, I2(48) | I2(50)),
         AT(47, I2(49) | I2(51)),
         AT(48, I2(50) | II2(46)),
         AT(49, I2(51)),
         AT(51, II2(49)),
         AT(52, II2(50)),
         AT(53, II2(51)),
     }},
    {.gap = 3, .low = 4, .high = 29, .differ = 0,
     .refutes = {
         AT(37, I0(43) | I0(47) | II0(46) | II0(53) | II0(55)),
         AT(38, I0(44) | I0(48) | II0(47) | II0(54) | II0(56)),
         AT(39, I0(43) | I0(45) | I0(49) | II0(48) | II0(55)),
         AT(40, I0(44) | I0(46) | I0(50) | II0(49) | II0(56)),
         AT(41, I0(43) | I0(45) | I0(47) | I0(51) | II0(45) | II0(50)),
         AT(42, I0(44) | I0(46) | I0(48) | I0(52) | II0(46) | II0(51)),
         AT(43, I0(43) | I0(45) | I0(47) | I0(49) | II0(47) | II0(52)),
         AT(44, I0(44) | I0(46) | I0(48) | I0(50) | II0(48) | II0(53)),
         AT(45, I0(45) | I0(47) | I0(49) | I0(51) | II0(49) | II0(54)),
         AT(46, I0(46) | I0(48) | I0(50) | I0(52) | II0(50) | II0(55)),
         AT(47, I0(47) | I0(49) | I0(51) | II0(45) | II0(51) | II0(56)),
         AT(48, I0(48) | I0(50) | I0(52) | II0(46) | II0(52)),
         AT(49, I0(49) | I0(51) | II0(45) | II0(47) | II0(53)),
         AT(50, I0(50) | I0(52) | II0(46) | II0(48) | II0(54)),
         AT(51, I0(51) | II0(47) | II0(49) | II0(55)),
         AT(52, I0(52) | II0(48) | II0(50) | II0(56)),
     },
     .late = {
         AT(53, II0(49) | II0(51)),
         AT(54, II0(50) | II0(52)),
         AT(55, II0(51) | II0(53)),
     }},
    {.gap = 4, .low = 1, .high = 1, .differ = 1,
     .refutes = {
         AT(50, II2(49)),
         AT(51, II2(50)),
         AT(52, II2(51)),
     }},
    {.gap = 4, .low = 3, .high = 28, .differ = 0,
     .late = {
         AT(35, I0(51) | II0(47)),
         AT(36, II0(48)),
         AT(37, II0(49)),
         AT(38, II0(50)),
         AT(39, II0(51)),
         AT(40, II0(52)),
         AT(41, II0(53)),
         AT(42, II0(54)),
         AT(43, II0(55)),
         AT(44, II0(56)),
     }},
    {.gap = 4, .low = 4, .high = 29, .differ = 0,
     .refutes = {
         AT(36, I0(46) | I0(49) | II0(45) | II0(48)),
         AT(37, I0(47) | I0(50) | II0(46) | II0(49)),
         AT(38, I0(48) | I0(51) | II0(47) | II0(50)),
         AT(39, I0(49) | I0(52) | II0(48) | II0(51)),
         AT(40, I0(50) | II0(49) | II0(52)),
         AT(41, I0(51) | II0(45) | II0(50) | II0(53)),
         AT(42, I0(52) | II0(46) | II0(51) | II0(54)),
         AT(43, I0(43) | II0(47) | II0(52) | II0(55)),
         AT(44, I0(44) | II0(48) | II0(53) | II0(56)),
     },
     .late = {
         AT(35, I0(45) | I0(48) | II0(47)),
         AT(56, II0(52)),
         AT(57, II0(53)),
         AT(58, II0(54)),
         AT(59, II0(55)),
         AT(60, II0(56)),
     }},
    {.gap = 4, .low = 5, .high = 30, .differ = 0,
     .refutes = {
         AT(35, I2(51)),
         AT(37, II2(49)),
         AT(38, II2(50)),
         AT(39, II2(51)),
     }},
    {.gap = 5, .low = 0, .high = 30, .differ = 1,
     .late = {
         AT(58, I0(43)),
         AT(59, I0(44)),
     }},
    {.gap = 5, .low = 30, .high = 28, .differ = 1,
     .late = {
         AT(35, II0(48)),
         AT(36, II0(49)),
         AT(37, II0(50)),
         AT(38, II0(51)),
         AT(39, II0(52)),
     }},
};

#undef AT
#undef I0
#undef I2
#undef II0
#undef II2

#endif
