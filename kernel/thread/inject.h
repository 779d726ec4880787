/*
 * Failure injection: which allocations of the running system are to fail. docs/debugging.md
 */
#ifndef KERNEL_INJECT_H
#define KERNEL_INJECT_H

#include <stdbool.h>
#include <stddef.h>

/* "off", or one of "nth=N", "every=N,SEED", "sites", and "for=NAME". Counts start over unless it is
 * "off". -EINVAL, -ENOMEM. */
int inject_set(const char *text);
void inject_show(char *buf, size_t size);
void inject_boot_options(void); /* once, before init runs */
/* mm/port.h: whether this allocation is to fail. */
bool inject_decides(void);
/* The current thread's last failure was made up: whoever would look for memory just tries again. */
bool inject_is_to_blame(void);

#endif
