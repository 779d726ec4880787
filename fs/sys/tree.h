/* What the files of fs/sys/ share. */
#ifndef FS_SYS_TREE_H
#define FS_SYS_TREE_H

#include "fs/sys/sysfs.h"
#include "fs/vfs/vfs.h"

#define SYS_NAME_MAX 40

/* A node lives while it is in the tree (its parent's reference) and while inodes are about it. */
struct sys_node {
    uint32_t refs; /* [sys_lock] */
    uint32_t ino;
    uint32_t mode;           /* type and permissions */
    struct sys_node *parent; /* [sys_lock] NULL: the root, or taken out */
    struct list sibling;     /* [sys_lock] */
    struct list children;    /* [sys_lock] oldest first */
    sys_show show;
    sys_store store;
    void *arg;
    char *target; /* of a link */
    bool gone;    /* [sys_lock] taken out: shows nothing any more */
    char name[SYS_NAME_MAX];
};

extern struct sys_node sys_root;
extern struct mutex sys_lock;

/* [sys_lock] */
struct sys_node *tree_find(struct sys_node *dir, const char *name);
void tree_get(struct sys_node *n);
void tree_put(struct sys_node *n);

#endif
