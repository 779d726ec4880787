/*
 * What the system calls on mounts share. All here is called with mount_lock held.
 */
#ifndef FS_MOUNT_CALLS_H
#define FS_MOUNT_CALLS_H

#include "fs/vfs/mount.h"

#define MS_UNBINDABLE  0x20000u
#define MS_PRIVATE     0x40000u
#define MS_SLAVE       0x80000u
#define MS_SHARED      0x100000u
#define MS_PROPAGATION (MS_UNBINDABLE | MS_PRIVATE | MS_SLAVE | MS_SHARED)

/* A second view of what from shows, in no tree yet. -EINVAL: it may have none. */
int mount_second_view(const struct path *from, bool deep, struct mount **out);
int mount_move(const struct path *from, struct path *where);
/* kind: one of MS_PROPAGATION. */
int mount_set_propagation(struct mount *m, uint32_t kind, bool deep);

/* [mount_lock not held] A descriptor like that of O_PATH on the top of a tree of its own, which
 * ends with it unless it has been mounted by then. The tree's reference is consumed. */
int mount_detached_fd(struct mount *top, bool cloexec);

/* ---- Attributes, as mount_setattr and fsmount take them: attr.c ---- */

#define MOUNT_ATTR_RDONLY      0x01u
#define MOUNT_ATTR_NOSUID      0x02u
#define MOUNT_ATTR_NODEV       0x04u
#define MOUNT_ATTR_NOEXEC      0x08u
#define MOUNT_ATTR_ATIME       0x70u
#define MOUNT_ATTR_NODIRATIME  0x80u
#define MOUNT_ATTR_IDMAP       0x100000u
#define MOUNT_ATTR_NOSYMFOLLOW 0x200000u
#define MOUNT_ATTR_ALL         0x2000ffu /* without IDMAP */

/* As flags of struct mount, those of the access time apart. */
uint32_t mount_attr_flags(uint64_t attr);
/* Those of the access time: 0 or -EINVAL. */
int mount_attr_atime(uint64_t attr, uint32_t *flags);

#endif
