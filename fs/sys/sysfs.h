/*
 * sysfs: a tree of directories, small text files and links in which other parts show what they
 * have. Nodes may come and go at any time; whoever has one open keeps it.
 */
#ifndef FS_SYS_SYSFS_H
#define FS_SYS_SYSFS_H

#include <stddef.h>
#include <stdint.h>
#include "fs/vfs/text.h"

struct sys_node;

/* What a file shows, and takes: text is terminated. 0 or -errno. May sleep. arg is the node's; it
 * must live until sysfs_remove() of the node or of one above it has returned. */
typedef int (*sys_show)(struct text *t, void *arg);
typedef int (*sys_store)(const char *text, size_t len, void *arg);

/* Where things hang: NULL is the root. A directory that exists already is returned as it is; NULL:
 * no memory, or there is something else. name is copied. May sleep. */
struct sys_node *sysfs_dir(struct sys_node *parent, const char *name);
/* A path of directories from the root, made where they are missing: "class/block". */
struct sys_node *sysfs_path(const char *path);
/* A file, read-only without store. 0 or -errno. */
int sysfs_file(struct sys_node *dir, const char *name, sys_show show, sys_store store, void *arg);
int sysfs_link(struct sys_node *dir, const char *name, const char *target);
/* Takes a node, and all below it, out. */
void sysfs_remove(struct sys_node *node);
void sysfs_remove_name(struct sys_node *dir, const char *name);
/* From the root, without a slash in front, into buf. */
void sysfs_path_of(const struct sys_node *node, char *buf, size_t size);

void sysfs_init(void); /* registers the file system and its first directories */

#endif
