/* Futexes: sleeping on a word of user memory. man 2 futex. */
#ifndef KERNEL_FUTEX_H
#define KERNEL_FUTEX_H

#include <stdint.h>

struct thread;

/* Wakes up to count waiters on the word at addr of the current space; how many. */
int futex_wake(uint32_t addr, int count);
/* Exit: gives up the robust locks that t still holds. May sleep. */
void futex_release_robust_list(struct thread *t);

#endif
