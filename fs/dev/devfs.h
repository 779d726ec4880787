/*
 * The devices that a devtmpfs is filled with when it is mounted.
 */
#ifndef FS_DEVFS_H
#define FS_DEVFS_H

#include "fs/vfs/vfs.h"

struct device_node {
    const char *name; /* below /dev; may have one directory in front */
    uint32_t mode;    /* S_IFCHR or S_IFBLK, and permissions */
    uint32_t rdev;
};

/* A driver has a device: devtmpfs instances mounted from now on show it. name is kept. */
int devfs_add(const char *name, uint32_t mode, uint32_t rdev);

void mem_init(void);                   /* fs/dev/mem.c */
extern const struct file_ops kmsg_ops; /* fs/dev/kmsg.c */

#endif
