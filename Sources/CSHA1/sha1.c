// The incremental hash around the kernels: which kernel, blocks from pieces of any size, padding.
//
//     message, 0x80, zeros up to 8 bytes before the end of a block, number of bits (64, big-endian)
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

static const csha1_kernel *const kernels[] = {
    [CSHA1_PORTABLE] = &csha1_portable,
    [CSHA1_QUAD] = &csha1_quad,
#if defined(__x86_64__)
    [CSHA1_SHANI] = &csha1_shani,
    [CSHA1_AVX2] = &csha1_avx2,
    [CSHA1_AVX512] = &csha1_avx512,
#endif
};

enum { KERNELS = sizeof kernels / sizeof kernels[0] };

/// The kernel of csha1_init, and which ones the processor runs: asked once, for asking is slow.
static uint8_t chosen = CSHA1_PORTABLE;
static bool usable[KERNELS];

/// Chooses, before anything can hash: the highest number that runs, or what the environment asks.
__attribute__((constructor)) static void choose(void) {
    const char *wanted = getenv("APUS_SHA1_KERNEL");
    for (uint8_t i = 0; i < KERNELS; i++) {
        usable[i] = kernels[i]->runs();
        if (usable[i]) chosen = i;
    }
    for (uint8_t i = 0; wanted && i < KERNELS; i++)
        if (usable[i] && strcmp(wanted, kernels[i]->name) == 0) chosen = i;
}

const char *csha1_kernel_name(uint8_t kernel) {
    return kernel < KERNELS ? kernels[kernel]->name : NULL;
}

bool csha1_kernel_runs(uint8_t kernel) { return kernel < KERNELS && usable[kernel]; }

uint8_t csha1_chosen_kernel(void) { return chosen; }

const csha1_single *csha1_single_of(uint8_t kernel) {
    if (kernels[kernel]->single) return kernels[kernel]->single;
#if defined(__x86_64__)
    // SSE2 is for processors without the SHA instructions; forced, it is tried without them.
    if (usable[CSHA1_SHANI] && kernel > CSHA1_SHANI) return csha1_shani.single;
#endif
    return csha1_portable.single;
}

const csha1_parallel *csha1_parallel_of(uint8_t kernel) {
    return csha1_kernel_runs(kernel) ? kernels[kernel]->parallel : NULL;
}

bool csha1_expand(uint8_t kernel, const uint8_t block[CSHA1_BLOCK], uint32_t schedule[80]) {
    if (!csha1_kernel_runs(kernel)) return false;
    csha1_single_of(kernel)->expand(block, schedule);
    return true;
}

uint32_t csha1_candidates(uint8_t kernel, const uint32_t schedule[80]) {
    return csha1_kernel_runs(kernel) ? csha1_single_of(kernel)->candidates(schedule) : 0;
}

bool csha1_lane_candidates(uint8_t kernel, const uint8_t *const *blocks, uint32_t *candidates) {
    const csha1_parallel *parallel = csha1_parallel_of(kernel);
    if (parallel) parallel->candidates(blocks, candidates);
    return parallel != NULL;
}

const uint32_t csha1_initial[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};

static void start(csha1_context *context, bool detects, uint8_t kernel) {
    context->total = 0;
    context->kernel = kernel;
    context->detects = detects;
    context->attacked = false;
    memcpy(context->state, csha1_initial, sizeof csha1_initial);
}

void csha1_init(csha1_context *context, bool detects) { start(context, detects, chosen); }

bool csha1_init_kernel(csha1_context *context, bool detects, uint8_t kernel) {
    if (!csha1_kernel_runs(kernel)) return false;
    start(context, detects, kernel);
    return true;
}

static void hash_blocks(csha1_context *context, const uint8_t *blocks, size_t count) {
    const csha1_single *kernel = csha1_single_of(context->kernel);
    if (context->detects)
        context->attacked |= kernel->detecting(context->state, blocks, count);
    else
        kernel->plain(context->state, blocks, count);
}

void csha1_update(csha1_context *context, const void *bytes, size_t count) {
    const uint8_t *next = bytes;
    size_t held = context->total % CSHA1_BLOCK;
    context->total += count;
    if (held > 0) {
        size_t room = CSHA1_BLOCK - held, taken = count < room ? count : room;
        if (taken > 0) memcpy(context->pending + held, next, taken);
        if (taken < room) return;
        hash_blocks(context, context->pending, 1);
        next += taken;
        count -= taken;
    }
    if (count >= CSHA1_BLOCK) hash_blocks(context, next, count / CSHA1_BLOCK);
    size_t left = count % CSHA1_BLOCK;
    if (left > 0) memcpy(context->pending, next + (count - left), left);
}

bool csha1_final(csha1_context *context, uint8_t digest[CSHA1_DIGEST]) {
    enum { LENGTH = CSHA1_BLOCK - 8 };
    uint64_t bits = context->total << 3;
    size_t held = context->total % CSHA1_BLOCK;
    uint8_t *block = context->pending;
    block[held++] = 0x80;
    if (held > LENGTH) {
        memset(block + held, 0, CSHA1_BLOCK - held);
        hash_blocks(context, block, 1);
        held = 0;
    }
    memset(block + held, 0, LENGTH - held);
    for (int i = 0; i < 8; i++) block[LENGTH + i] = (uint8_t)(bits >> (56 - 8 * i));
    hash_blocks(context, block, 1);
    for (int i = 0; i < CSHA1_DIGEST; i++)
        digest[i] = (uint8_t)(context->state[i / 4] >> (24 - 8 * (i % 4)));
    return context->attacked;
}
