/*
 * Superblocks: file systems as such, whether or not a mount shows them. All here is called with
 * mount_lock held.
 *
 * One lives while mounts show it, and after that while somebody refers into its tree.
 */
#ifndef FS_SUPER_H
#define FS_SUPER_H

#include "fs/vfs/vfs.h"

/* What of the flags of mount(2) is of the file system, not of the mount. */
#define SUPER_FLAGS (MS_RDONLY | MS_SYNCHRONOUS | MS_MANDLOCK | MS_DIRSYNC | MS_LAZYTIME)

const struct fs_type *fs_type_find(const char *name); /* or NULL */
/* The file system that mount(2) asks for: one that is there, if its type shares it, or a new one.
 * -ENODEV, -ENOSPC, -ENOMEM, -EBUSY or the type's own. May sleep. */
int super_get(const char *fstype, const char *source, uint32_t flags, const char *data,
              struct superblock **out);
/* Whether its type knows of a user that no mount knows of. */
bool super_in_use(struct superblock *sb);
/* Its last mount is gone: it goes too, now or when nobody uses it any more. May sleep. */
void super_unshown(struct superblock *sb);
void super_reap(void);                       /* those end whose last user has gone */
struct superblock *super_find(uint32_t dev); /* the one with that number, or NULL */
/* Its flags become these. -EBUSY while somebody writes. */
int super_remount(struct superblock *sb, uint32_t flags, const char *data);

#endif
