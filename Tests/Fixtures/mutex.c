// Takes a Swift Mutex that another thread holds, in the place of Swift's own function for that, for the
// thread sanitizer to see it: linked by Scripts/test-threads.sh. On Linux a Mutex is a word: 0, or the
// number of the thread that holds it.
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>

__attribute__((swiftcall)) void lock_slow(uint32_t self,
                                          __attribute__((swift_context)) _Atomic uint32_t *word)
    __asm__("$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF");

__attribute__((swiftcall)) void lock_slow(uint32_t self,
                                          __attribute__((swift_context)) _Atomic uint32_t *word) {
    for (uint32_t free = 0; !atomic_compare_exchange_weak_explicit(
             word, &free, self, memory_order_acquire, memory_order_relaxed);
         free = 0)
        sched_yield();
}
