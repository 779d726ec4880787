/*
 * Extended attributes: names with values, kept with the inode.
 * man 7 xattr.
 */
#ifndef FS_VFS_XATTR_H
#define FS_VFS_XATTR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "arch/mmu.h"
#include "arch/user.h"
#include "fs/vfs/vfs.h"

#define XATTR_NAME_MAX  255u
#define XATTR_VALUE_MAX 65536u
#define XATTR_LIST_MAX  65536u

#define XATTR_CAPS "security.capability" /* what who runs it gets: man 7 capabilities */

struct xattr {
    struct xattr *next; /* [inode->lock] */
    char *name;
    uint32_t size;
    void *piece[XATTR_VALUE_MAX / PAGE_SIZE]; /* a page of the value each */
};

#define XATTR_CREATE  1u
#define XATTR_REPLACE 2u

/* The value's length, which is copied if size is not 0; -ERANGE: it is longer than size. */
long xattr_get(struct inode *i, const char *name, void __user *uvalue, size_t size);
int xattr_set(struct inode *i, const char *name, const void __user *uvalue, size_t size,
              uint32_t flags);
int xattr_remove(struct inode *i, const char *name);
/* The names, each with its terminator: their length, as xattr_get. */
long xattr_list(struct inode *i, char __user *ulist, size_t size);
/* [i->lock held] For load_xattrs: one more. */
int xattr_keep(struct inode *i, const char *name, const void *value, size_t size);
/* Whether i has attributes, or may have some that nobody has asked for. */
static inline bool xattr_may_be(const struct inode *i)
{
    return i->xattrs || (i->ops && i->ops->load_xattrs && !i->xattrs_known);
}
/* What attributes and access lists cost i's file system, in pages; given back: below 0. */
static inline int xattr_charge(const struct inode *i, int32_t pages)
{
    return i->sb->type->charge_xattr(i->sb, pages);
}
/* [i->lock held] Who runs it gets nothing any more: its contents or its owner change. */
int xattr_drop_caps(struct inode *i);
/* What who runs it gets: false: nothing, or what is not understood. */
struct file_caps;
bool xattr_file_caps(struct inode *i, struct file_caps *out);
void xattr_free_all(struct inode *i); /* the inode goes */

#endif
