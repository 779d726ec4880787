/* Block devices as files, and what /proc tells of them. */
#ifndef FS_BLOCK_FILE_H
#define FS_BLOCK_FILE_H

#include "fs/block/block.h"
#include "fs/vfs/vfs.h"

struct text;

extern const struct file_ops block_file_ops; /* how a node S_IFBLK opens */
/* The device of an open file; NULL: it is not of one. */
struct block_device *block_of_file(const struct file *f);

long block_ioctl(struct block_device *dev, uint32_t cmd, uint32_t arg);

void block_sync_all(void);              /* what the page caches of all devices hold; may sleep */
void block_show_majors(struct text *t); /* their part of /proc/devices */
void block_show_partitions(struct text *t); /* /proc/partitions */
void block_show_diskstats(struct text *t);  /* /proc/diskstats */

#endif
