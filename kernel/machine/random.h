/*
 * Random numbers: a ChaCha20 generator that replaces its key with every refill, so that what was
 * given out cannot be computed from a later state.
 */
#ifndef KERNEL_RANDOM_H
#define KERNEL_RANDOM_H

#include <stddef.h>
#include <stdint.h>
#include "arch/user.h"

void random_init(void);
void random_bytes(void *buf, size_t n); /* kernel memory; any context */
/* n bytes, or fewer when a signal waits or memory ends; -EFAULT, -ENOMEM. May sleep. */
long random_to_user(void __user *ubuf, size_t n);
uintptr_t random_guard(void);               /* a canary: its lowest byte ends a string */
void random_mix(uint32_t sample);           /* from interrupts: anything hard to foretell */
void random_add(const void *buf, size_t n); /* written to /dev/urandom */

/* How much of a new program's layout is left to chance: /proc/sys/kernel/randomize_va_space. */
enum { RANDOMIZE_NOTHING, RANDOMIZE_MAPPINGS, RANDOMIZE_BRK };
extern uint32_t randomize_va_space; /* RANDOMIZE_NOTHING with norandmaps on the command line */
extern uint32_t legacy_va_layout;   /* /proc/sys/vm: mappings go upwards */

#endif
