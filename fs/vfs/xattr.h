/*
 * Extended attributes of file systems in memory: names with values, kept with the inode.
 * man 7 xattr.
 */
#ifndef FS_VFS_XATTR_H
#define FS_VFS_XATTR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "arch/user.h"

struct inode;
struct xattr;

#define XATTR_NAME_MAX  255u
#define XATTR_VALUE_MAX 65536u
#define XATTR_LIST_MAX  65536u

#define XATTR_CAPS "security.capability" /* what who runs it gets: man 7 capabilities */

#define XATTR_CREATE  1u
#define XATTR_REPLACE 2u

/* The value's length, which is copied if size is not 0; -ERANGE: it is longer than size. */
long xattr_get(struct inode *i, const char *name, void __user *uvalue, size_t size);
int xattr_set(struct inode *i, const char *name, const void __user *uvalue, size_t size,
              uint32_t flags);
int xattr_remove(struct inode *i, const char *name);
/* The names, each with its terminator: their length, as xattr_get. */
long xattr_list(struct inode *i, char __user *ulist, size_t size);
/* [i->lock held] Who runs it gets nothing any more: its contents or its owner change. */
void xattr_drop_caps(struct inode *i);
/* What who runs it gets: false: nothing, or what is not understood. */
struct file_caps;
bool xattr_file_caps(struct inode *i, struct file_caps *out);
void xattr_free_all(struct inode *i); /* the inode goes */

#endif
