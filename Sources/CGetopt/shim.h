// getopt_long(3) of the C library. Its state is in global variables, which Swift 6 may not touch:
// these functions stand for them.
#ifndef APUS_GETOPT_SHIM_H
#define APUS_GETOPT_SHIM_H

#include <getopt.h>
#include <stddef.h>

// Begins a new argument vector, and keeps getopt from printing messages of its own.
static inline void apus_getopt_reset(void) {
    opterr = 0;
#if defined(__GLIBC__)
    optind = 0;
#else
    optind = 1;
#endif
#if defined(__APPLE__) || defined(__FreeBSD__)
    optreset = 1;
#endif
}

static inline int apus_getopt_next(
    int argc, char *const *argv, const char *shorts, const struct option *longs) {
    return getopt_long(argc, argv, shorts, longs, NULL);
}

// The value of the option just returned, NULL if it has none.
static inline const char *apus_getopt_value(void) { return optarg; }

// Where the next call begins.
static inline int apus_getopt_position(void) { return optind; }

static inline void apus_getopt_set_position(int position) { optind = position; }

// The offending option of an error: its character, its `val`, or 0.
static inline int apus_getopt_offender(void) { return optopt; }

#endif
