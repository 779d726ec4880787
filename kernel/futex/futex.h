/* Futexes: sleeping on a word of user memory. man 2 futex. */
#ifndef KERNEL_FUTEX_H
#define KERNEL_FUTEX_H

#include <stdint.h>

struct thread;

/* Wakes up to count waiters on the word at addr of the current space, which others may share; how
 * many, or -errno. May sleep. */
long futex_wake(uint32_t addr, int count);
/* Exit and exec: gives up the robust locks that the current thread still holds. May sleep. */
void futex_release_robust_list(struct thread *t);
/* Exit: whoever waits for t in a futex with priority inheritance has it from here on. */
void futex_release_inheritance(struct thread *t);
/* The real-time priority of t is another one: so is that of those it waits for. */
void futex_priority_changed(struct thread *t);

#endif
