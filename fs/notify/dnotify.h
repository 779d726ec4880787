/*
 * F_NOTIFY: signals about what happens in a directory.
 */
#ifndef FS_DNOTIFY_H
#define FS_DNOTIFY_H

#include "fs/vfs/vfs.h"

struct files;

#define F_NOTIFY 1026

long dnotify_fcntl(struct file *f, int fd, uint32_t events);
/* files lets go of f, which had asked: it is told no more. */
void dnotify_close(struct file *f, const struct files *files);

#endif
