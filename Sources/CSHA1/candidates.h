// The test of the conditions, for vectors of LANE_BYTES bytes: a template.
//
// Included with these defined, it defines CANDIDATES:
//     CANDIDATES   the function's name
//     LANE_BYTES   16 or 32
//     LANE_TARGET  attributes of the function, or nothing
//
// A lane is a step t. For each relation and each run of steps that it has rows for: bring the two
// bits of every step to the sign, exclusive-or them, spread the sign over the lane, and collect the
// table's vectors where the relation is broken. Table and relations are constants and the loops
// are unrolled, so that a run without rows costs nothing.
#include <string.h>

#include "disturbance.h"

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

/// The vectors of which the expanded block (W[t] at 79 - t) meets all conditions.
LANE_TARGET static inline uint32_t CANDIDATES(const uint32_t schedule[80]) {
    typedef uint32_t lanes __attribute__((vector_size(LANE_BYTES)));
    typedef int32_t signs __attribute__((vector_size(LANE_BYTES)));
    enum { LANES = LANE_BYTES / 4, START = 79 - RELATION_LAST_STEP };

    lanes refuted = {0};
    UNROLL for (int r = 0; r < RELATIONS; r++) {
        const csha1_relation *relation = &csha1_relations[r];
        UNROLL for (int run = 0; run < RELATION_STEPS; run += LANES) {
            lanes first, second, refutes, late;
            memcpy(&first, schedule + START + run, LANE_BYTES);
            memcpy(&second, schedule + START + run - relation->gap, LANE_BYTES);
            memcpy(&refutes, relation->refutes + run, LANE_BYTES);
            memcpy(&late, relation->late + run, LANE_BYTES);
            refutes |= late;
            lanes bits = first << (31 - relation->low) ^ second << (31 - relation->high);
            lanes unequal = (lanes)((signs)bits >> 31);
            refuted |= relation->differ ? ~unequal & refutes : unequal & refutes;
        }
    }
    uint32_t all = 0;
    UNROLL for (int lane = 0; lane < LANES; lane++) all |= refuted[lane];
    return ~all;
}

#undef UNROLL
