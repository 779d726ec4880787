/*
 * The devices that a devtmpfs is filled with when it is mounted.
 */
#ifndef FS_DEVFS_H
#define FS_DEVFS_H

#include "fs/vfs/vfs.h"

#define DEVICE_NAME_MAX 32

/* A driver has a device: every devtmpfs shows it, mounted or to come, as name (which may have one
 * directory in front), with mode (S_IFCHR or S_IFBLK, and permissions) and number. It is gone. May
 * sleep. */
int devfs_add(const char *name, uint32_t mode, uint32_t rdev);
void devfs_remove(const char *name);

void mem_init(void);                   /* fs/dev/mem.c */
extern const struct file_ops kmsg_ops; /* fs/dev/kmsg.c */

extern const char *framebuffer_name; /* for /proc/fb; NULL: there is none */

#endif
