/*
 * Who counts events in an eventfd from inside.
 */
#ifndef FS_EVENTFD_H
#define FS_EVENTFD_H

#include <stdint.h>

struct file;

int eventfd_get(int fd, struct file **out);   /* a reference; -EBADF, -EINVAL: it is none */
void eventfd_add(struct file *f, uint64_t n); /* as much of it as fits */

#endif
