/* Thread-local storage: the three GDT entries that belong to the thread. */
#ifndef KERNEL_TLS_H
#define KERNEL_TLS_H

#include <stdbool.h>
#include <stdint.h>
#include "arch/user.h"

struct thread;

#define TLS_FIRST 6 /* the GDT entry of the first of TLS_ENTRIES */

struct user_desc { /* man 2 set_thread_area */
    uint32_t entry, base, limit, flags;
};

/* By kernel memory, and for any thread: -EINVAL. */
int tls_put(struct thread *t, uint32_t entry, const struct user_desc *d);
int tls_get(const struct thread *t, uint32_t entry, struct user_desc *out);

/* Sets the entry that the user_desc at udesc (user memory) names; with may_choose, an entry number
 * of -1 takes a free one and stores it there. */
int tls_set(struct thread *t, void __user *udesc, bool may_choose);

#endif
