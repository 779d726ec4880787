/*
 * The in-memory file system, as the loader of the boot archive and devfs use it.
 */
#ifndef FS_RAMFS_H
#define FS_RAMFS_H

#include "fs/vfs/vfs.h"

struct archive;

struct ramfs_super {
    uint32_t refs;                  /* [ramfs_lock] the superblock and every file */
    uint32_t max_pages;             /* 0: no limit */
    uint32_t max_inodes;            /* 0: no limit */
    bool limit_given, inodes_given; /* by a mount option */
    uint32_t used_pages;            /* [ramfs_lock] */
    uint32_t used_inodes;           /* [ramfs_lock] and names beyond each one's first */
};
void ramfs_super_put(struct ramfs_super *s); /* drops a reference */
/* Other limits. -EINVAL: more is in use, or there was none before. */
int ramfs_set_limits(struct ramfs_super *s, uint32_t pages, uint32_t inodes);

#define RAMFS_MAGIC 0x858458f6u
#define TMPFS_MAGIC 0x01021994u

/* A new inode of any kind but a symbolic link, empty; one reference. NULL: no memory. */
struct inode *ramfs_inode(struct superblock *sb, uint32_t mode, uint32_t rdev);
/* The same from a fresh inode (consumed; may be NULL); a symbolic link, whose target need not be
 * terminated. */
struct inode *ramfs_make(struct inode *inode, uint32_t rdev);
/* A regular file in no tree, whose mappings show "PATH (deleted)". NULL: no memory. */
struct inode *ramfs_unnamed(const char *path, uint32_t mode);
struct inode *ramfs_make_link(struct inode *inode, const char *target, size_t len);
/* The same where the target stays where it is, as what is in an archive does. */
struct inode *ramfs_make_archive_link(struct inode *inode, const char *target, size_t len);

/* What mappings show once it has no name; false: no memory. */
bool ramfs_set_deleted_name(struct inode *inode, const char *path);

/* From now on the regular file's contents are those bytes of the archive, read on first touch. */
int ramfs_set_contents(struct inode *inode, const struct archive *archive, uint32_t offset,
                       uint32_t size);

/* Adds inode (consumed, even on failure) under name; the entry (borrowed) or NULL: no memory. */
struct dentry *ramfs_attach(struct dentry *dir, const char *name, size_t len, struct inode *inode);

/* n names more of the directory, or (below 0) less, count as there, while dir->private says what is
 * to be made of them by cpio_fill(). */
void ramfs_await(struct inode *dir, int32_t n);

/* Mounts an empty one: what every in-memory type shares. */
int ramfs_mount_root(struct superblock *sb, uint32_t mode, uint32_t max_pages,
                     uint32_t max_inodes); /* 0: no limit */
uint32_t ramfs_default_limit(void);
uint32_t ramfs_total_pages(void); /* that only memory holds, in all in-memory file systems */
int ramfs_charge_xattr(struct superblock *sb, int32_t pages); /* fs_type.charge_xattr */
void ramfs_unmount(struct superblock *sb);
void ramfs_statfs(struct superblock *sb, struct kstatfs *out);

#endif
