/* Thread-local storage: the three GDT entries that belong to the thread. */
#ifndef KERNEL_TLS_H
#define KERNEL_TLS_H

#include <stdbool.h>
#include <stdint.h>
#include "arch/user.h"

struct thread;

/* Sets the entry that the user_desc at udesc (user memory) names; with may_choose, an entry number
 * of -1 takes a free one and stores it there. */
int tls_set(struct thread *t, void __user *udesc, bool may_choose);

#endif
