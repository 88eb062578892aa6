// What posix_spawn(3) can do beyond POSIX. The C library has it, and declares it only for programs that ask
// for its extensions.
#ifndef APUS_SPAWN_SHIM_H
#define APUS_SPAWN_SHIM_H

#include <spawn.h>

#if !defined(__APPLE__)
extern int posix_spawn_file_actions_addchdir_np(
    posix_spawn_file_actions_t *actions, const char *path);
#endif

#if defined(__GLIBC__)
#if __GLIBC_PREREQ(2, 34)
#define APUS_HAS_CLOSEFROM 1
extern int posix_spawn_file_actions_addclosefrom_np(
    posix_spawn_file_actions_t *actions, int first);
#endif
#endif

// The program begins in this directory.
static inline int apus_spawn_add_directory(
    posix_spawn_file_actions_t *actions, const char *path) {
    return posix_spawn_file_actions_addchdir_np(actions, path);
}

// The program inherits no descriptor from `first` on, as far as the system can see to that.
static inline int apus_spawn_add_close(posix_spawn_file_actions_t *actions, int first) {
#if defined(APUS_HAS_CLOSEFROM)
    return posix_spawn_file_actions_addclosefrom_np(actions, first);
#else
    (void)actions;
    (void)first;
    return 0;
#endif
}

#endif
