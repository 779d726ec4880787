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

#define UD_32BIT          0x01u
#define UD_CONTENTS       0x06u /* data, data that expands down, code, conforming code */
#define UD_CONTENTS_SHIFT 1
#define UD_READ_ONLY      0x08u
#define UD_PAGES          0x10u /* the limit is in pages */
#define UD_NOT_PRESENT    0x20u
#define UD_USEABLE        0x40u /* the descriptor's bit that is the program's */
#define UD_ALL            0x7fu

/* The processor's descriptor: of user level, code or data, marked as accessed. */
uint64_t user_desc_pack(const struct user_desc *d);

/* By kernel memory, and for any thread: -EINVAL. */
int tls_put(struct thread *t, uint32_t entry, const struct user_desc *d);
int tls_get(const struct thread *t, uint32_t entry, struct user_desc *out);

/* Sets the entry that the user_desc at udesc (user memory) names; with may_choose, an entry number
 * of -1 takes a free one and stores it there. */
int tls_set(struct thread *t, void __user *udesc, bool may_choose);

#endif
