/* What few threads have: rights to I/O ports, no right to read the time stamp counter. */
#ifndef KERNEL_RARE_H
#define KERNEL_RARE_H

#include <stdbool.h>

struct thread;

int rare_fork(const struct thread *from, struct thread *to); /* to, which is new, has the same */
void rare_drop(struct thread *t);
bool rare_has_ports(const struct thread *t); /* it runs on the first processor only */
/* Of the current thread. -ENOMEM. */
int rare_set_tsc(bool allowed);
bool rare_tsc_allowed(void);

#endif
