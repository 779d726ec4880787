/*
 * Descriptors of processes, man 2 pidfd_open.
 */
#ifndef FS_PIDFD_H
#define FS_PIDFD_H

#include <stdbool.h>
#include <stdint.h>

struct proc_handle;

/* A descriptor of h, whose reference is consumed, always closed on exec; or -errno. */
int pidfd_make(struct proc_handle *h, uint32_t flags);
/* The handle that a descriptor is of, with a reference, and whether it is O_NONBLOCK; NULL: it is
 * of something else. */
struct proc_handle *pidfd_get(int fd, bool *nonblock);

#endif
