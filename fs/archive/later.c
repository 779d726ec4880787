/*
 * Names of the boot archive that are made when somebody first asks for one in their directory. To
 * pass an entry by costs half of making a name and an inode of it, and most are never asked
 * for.
 *
 * What waits is in dir->private: a ring of runs, the last of them, each of entries that follow one
 * another in the archive. They are made in that order, as they would have been at boot; until then
 * the directory has no directories in it, nor anything by their names, and the file system counts
 * them as if they were there. Who looks for a name, here or by inode_ops.fill, has all of them made
 * first.
 */
#include "fs/archive/cpio.h"
#include "fs/ram/ramfs.h"
#include "libc/errno.h"

#define LONG_LINK 100 /* the account of longer ones may take a page: fs/ram/ramfs.c */

struct run {
    struct run *next;
    const struct archive *src;
    uint32_t pos, count; /* where the first of how many begins */
};

/* What has the name already is found, and would be in the place of e until that is made. */
static bool is_taken(const struct cpio_entry *e, struct dentry *dir)
{
    struct dentry *d;

    if (dentry_is_empty(dir))
        return false;
    d = dentry_find(dir, e->name, e->name_len);
    if (d)
        dentry_unref(d);
    return d;
}

/* Whether what becomes of e, and whether anything does, can be told without making it. */
static bool may_wait(const struct cpio_entry *e, const struct inode *dir)
{
    return dir->nlink == 2 && e->nlink <= 1 && !S_ISDIR(e->mode) &&
           !(S_ISLNK(e->mode) && e->size > LONG_LINK);
}

/* A run that begins with the entry at hand. NULL: no memory. */
static struct run *run_new(const struct loader *l, struct inode *dir)
{
    struct run *r = kmalloc(sizeof(*r)), *last = dir->private;

    if (!r)
        return NULL;
    *r = (struct run){.next = r, .src = l->src, .pos = l->entry};
    if (last) {
        r->next = last->next;
        last->next = r;
    }
    dir->private = r;
    return r;
}

bool cpio_put_off(struct loader *l, const struct cpio_entry *e, struct dentry *at)
{
    struct inode *dir = at->inode;

    if (!may_wait(e, dir) || is_taken(e, at)) {
        l->run = NULL;
        return false;
    }
    if (!l->run || l->run->src != l->src || l->run_dir != dir || l->run_end != l->entry) {
        l->run = run_new(l, dir);
        l->run_dir = dir;
    }
    if (!l->run)
        return false;
    l->run->count++;
    l->run_end = l->pos;
    ramfs_await(dir, 1);
    return true;
}

/* The first of them, which is done with, goes. */
static void run_free(struct inode *dir, struct run *last)
{
    struct run *r = last->next;

    if (r == last)
        dir->private = NULL;
    last->next = r->next;
    kmfree(r);
}

/* -ENOMEM: the rest still waits. */
static int make_run(struct loader *l, struct run *r, struct dentry *dir)
{
    l->src = r->src;
    l->pos = r->pos;
    for (; r->count; r->count--) {
        if (cpio_read_entry(l))
            break;
        (void)cpio_cut_name(&l->at);
        if (cpio_add_named(l, &l->at, dir) == -ENOMEM)
            return -ENOMEM;
        r->pos = l->pos;
        ramfs_await(dir->inode, -1);
        sched_point();
    }
    return 0;
}

int cpio_fill(struct dentry *dir)
{
    struct inode *i = dir->inode;
    struct loader *l;
    struct run *last;
    int err = 0;

    if (!i->private)
        return 0;
    l = cpio_loader_new(i->sb->root);
    if (!l)
        return -ENOMEM;
    while (!err && (last = i->private)) {
        err = make_run(l, last->next, dir);
        if (!err)
            run_free(i, last);
    }
    ramfs_await(i, 0);
    cpio_loader_free(l);
    return err;
}

void cpio_forget(struct inode *dir)
{
    struct run *last;

    while ((last = dir->private)) {
        ramfs_await(dir, -(int32_t)last->next->count);
        run_free(dir, last);
    }
}
