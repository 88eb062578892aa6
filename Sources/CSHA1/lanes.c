// Messages side by side, around the kernels of lanes.
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

unsigned csha1_lane_count(uint8_t kernel) {
    const csha1_parallel *parallel = csha1_parallel_of(kernel);
    return parallel ? parallel->lanes : 0;
}

csha1_lanes *csha1_lanes_new(uint8_t kernel) {
    const csha1_parallel *parallel = csha1_parallel_of(kernel);
    csha1_lanes *lanes;
    if (!parallel || posix_memalign((void **)&lanes, _Alignof(csha1_lanes), sizeof *lanes) != 0)
        return NULL;
    memset(lanes, 0, sizeof *lanes);
    lanes->kernel = parallel;
    lanes->single = csha1_single_of(kernel);
    lanes->idle = (UINT32_C(1) << parallel->lanes) - 1;
    for (int lane = 0; lane < CSHA1_LANES; lane++) lanes->left[lane] = UINT32_MAX;
    return lanes;
}

void csha1_lanes_free(csha1_lanes *lanes) { free(lanes); }

unsigned csha1_lanes_few(const csha1_lanes *lanes) { return lanes->kernel->few; }

void csha1_lanes_start(csha1_lanes *lanes, unsigned lane, uint32_t number) {
    for (int word = 0; word < 5; word++) lanes->state[word][lane] = csha1_initial[word];
    lanes->message[lane] = number;
    lanes->idle &= ~(UINT32_C(1) << lane);
}

void csha1_lanes_renumber(csha1_lanes *lanes, unsigned lane, uint32_t number) {
    lanes->message[lane] = number;
}

void csha1_lanes_feed(csha1_lanes *lanes, unsigned lane, const uint8_t *blocks, uint32_t count) {
    lanes->next[lane] = blocks;
    lanes->left[lane] = count;
}

void csha1_lanes_idle(csha1_lanes *lanes, unsigned lane) {
    lanes->idle |= UINT32_C(1) << lane;
    lanes->left[lane] = UINT32_MAX;
}

uint32_t csha1_lanes_hash(csha1_lanes *lanes) {
    const uint32_t all = (UINT32_C(1) << lanes->kernel->lanes) - 1;
    if (lanes->idle == all) return 0;
    // Idle lanes are hashed as well, and need something to read.
    const uint8_t *some = lanes->next[__builtin_ctz(~lanes->idle)];
    for (uint32_t idle = lanes->idle; idle != 0; idle &= idle - 1)
        lanes->next[__builtin_ctz(idle)] = some;
    uint32_t least = UINT32_MAX, ended = 0;
    for (int lane = 0; lane < CSHA1_LANES; lane++)
        if (lanes->left[lane] < least) least = lanes->left[lane];
    lanes->kernel->hash(lanes, least);
    for (int lane = 0; lane < CSHA1_LANES; lane++) {
        if (lanes->left[lane] != UINT32_MAX) lanes->left[lane] -= least;
        ended |= (uint32_t)(lanes->left[lane] == 0) << lane;
    }
    return ended;
}

void csha1_lanes_hash_one(csha1_lanes *lanes, unsigned lane) {
    const size_t count = lanes->left[lane];
    uint32_t state[5];
    for (int word = 0; word < 5; word++) state[word] = lanes->state[word][lane];
    if (lanes->single->detecting(state, lanes->next[lane], count))
        lanes->attacked[lanes->message[lane]] = true;
    for (int word = 0; word < 5; word++) lanes->state[word][lane] = state[word];
    lanes->next[lane] += CSHA1_BLOCK * count;
    lanes->left[lane] = 0;
}

void csha1_lanes_digest(const csha1_lanes *lanes, unsigned lane, uint8_t digest[CSHA1_DIGEST]) {
    for (int word = 0; word < 5; word++) {
        const uint32_t value = lanes->state[word][lane];
        for (int i = 0; i < 4; i++) digest[4 * word + i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

void csha1_lanes_suspect(csha1_lanes *lanes, uint32_t number, unsigned vector,
                         const uint8_t block[CSHA1_BLOCK], const uint32_t before[5],
                         const uint32_t after[5]) {
    csha1_suspects *suspects = &lanes->suspects[csha1_meeting_of(vector)];
    const unsigned i = suspects->count++;
    suspects->vector[i] = (uint8_t)vector;
    suspects->message[i] = number;
    memcpy(suspects->block[i], block, CSHA1_BLOCK);
    for (int word = 0; word < 5; word++) {
        suspects->before[word][i] = before[word];
        suspects->after[word][i] = after[word];
    }
    if (suspects->count == lanes->kernel->lanes) lanes->kernel->confirm(lanes, suspects);
}

bool csha1_lanes_confirm(csha1_lanes *lanes) {
    for (int meeting = 0; meeting < MEETINGS; meeting++)
        if (lanes->suspects[meeting].count > 0)
            lanes->kernel->confirm(lanes, &lanes->suspects[meeting]);
    return memchr(lanes->attacked, true, sizeof lanes->attacked) != NULL;
}

bool csha1_lanes_attacked(csha1_lanes *lanes, uint32_t number) {
    const bool attacked = lanes->attacked[number];
    lanes->attacked[number] = false;
    return attacked;
}
