/*
 * Access control lists of POSIX (man 5 acl), of file systems that keep extended attributes: the
 * attributes system.posix_acl_access and system.posix_acl_default.
 */
#ifndef FS_VFS_ACL_H
#define FS_VFS_ACL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "arch/user.h"

struct inode;
struct acls;
struct access_ids;

enum acl_kind { ACL_ACCESS, ACL_DEFAULT, ACL_KINDS, ACL_NONE = ACL_KINDS };

/* Which list an attribute's name is; ACL_NONE: neither. And back. */
enum acl_kind acl_kind_of(const char *name);
const char *acl_name(enum acl_kind kind);

/* As getxattr and setxattr; to be asked of inodes whose file system has attributes. */
bool acl_is_set(const struct inode *i, enum acl_kind kind);
long acl_get(struct inode *i, enum acl_kind kind, void __user *uvalue, size_t size);
int acl_set(struct inode *i, enum acl_kind kind, const void __user *uvalue, size_t size);
int acl_remove(struct inode *i, enum acl_kind kind);

/* Of who is not the owner, where there is a list: 0 or -EACCES; 1: the mode alone decides. Does not
 * sleep. */
int acl_permits(const struct inode *i, unsigned want, const struct access_ids *who);
/* The mode was changed: the list says the same. */
void acl_chmod(struct inode *i);
void acl_free_all(struct inode *i); /* the inode goes */

/*
 * A file is about to be made in dir with that mode: it becomes what dir's default list allows, or
 * the umask where there is none. *out, perhaps NULL, is for acl_born() with the inode, or NULL if
 * none was made. -ENOMEM, -ENOSPC.
 */
int acl_for_new(const struct inode *dir, uint32_t *mode, struct acls **out);
void acl_born(struct inode *i, const struct inode *dir, struct acls *acls);

#endif
