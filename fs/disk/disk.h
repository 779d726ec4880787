/* File systems on disks: what they share. */
#ifndef FS_DISK_DISK_H
#define FS_DISK_DISK_H

#include "fs/block/block.h"
#include "fs/vfs/vfs.h"

/* The number of the block device that source names. */
int disk_number(const char *source, uint32_t *number);
/* Opens the block device that source names, for holder alone: a path such as "/dev/sda1". -ENOTBLK,
 * -ENXIO, and block_open's. May sleep. */
int disk_claim(const char *source, bool write, void *holder, struct block_device **out);
void disk_release(struct block_device *dev, void *holder);

/* Bytes of the page cache of a device: 0, -EIO or -ENOMEM. May sleep. */
int disk_read(struct vm_object *cache, uint64_t at, void *buf, uint32_t len);

/* Something is wrong on the disk; told once in a while: told counts, of one mount. Returns -EIO. */
int disk_corrupt(const char *fs, const struct block_device *dev, uint32_t *told, const char *what,
                 uint32_t where);

/* For a lookup that found i for the name d: on a damaged disk a directory may have two names, or
 * lie in itself; only the first is believed. */
bool disk_is_second_name(const struct inode *i, const struct dentry *d);

/* For a pager's get(): what a file has in its last block behind its end is not the file's. */
void disk_clear_behind(const struct vm_object *o, const struct vm_run *run, unsigned filled);

/* *path, which the inode's node keeps, becomes its name, kmalloc'd, at the first mapping: what that
 * is of has to be known after the file was closed, and with it its name forgotten. NULL where there
 * is no memory. */
void disk_keep_path(struct inode *i, char **path);

/* Each registers its types. */
void ext2_init(void);
void iso_init(void);

#endif
