/* File systems on disks: what they share. */
#ifndef FS_DISK_DISK_H
#define FS_DISK_DISK_H

#include "fs/block/block.h"

/* Opens the block device that source names, for holder alone: a path such as "/dev/sda1". -ENOTBLK,
 * -ENXIO, and block_open's. May sleep. */
int disk_claim(const char *source, bool write, void *holder, struct block_device **out);
void disk_release(struct block_device *dev, void *holder);

#endif
