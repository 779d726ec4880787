/* What the files of fs/sys/ share. */
#ifndef FS_SYS_TREE_H
#define FS_SYS_TREE_H

#include "fs/sys/sysfs.h"
#include "fs/vfs/vfs.h"

#define SYS_NAME_MAX 40

/* A node lives while it is in the tree (its parent's reference) and while inodes are about it. */
struct sys_node {
    uint32_t refs; /* [sysfs_lock] */
    uint32_t ino;
    uint32_t mode;           /* type and permissions */
    struct sys_node *parent; /* [sysfs_lock] NULL: the root, or taken out */
    struct list sibling;     /* [sysfs_lock] */
    struct list children;    /* [sysfs_lock] oldest first */
    sys_show show;
    sys_store store;
    void *arg;
    char *target; /* of a link */
    bool gone;    /* [sysfs_lock] taken out: shows nothing any more */
    char name[SYS_NAME_MAX];
};

extern struct sys_node sysfs_root;
extern struct mutex sysfs_lock;

/* [sysfs_lock] */
struct sys_node *tree_find(struct sys_node *dir, const char *name);
void tree_get(struct sys_node *n);
void tree_put(struct sys_node *n);

#endif
