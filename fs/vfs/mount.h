/*
 * Mounts: where which part of which file system is seen. The file systems themselves (superblocks)
 * are in super.h.
 *
 * A mount shows the tree below `root`, a name in its file system, on top of `at`, a name in its
 * parent. Any number of them show one file system (bind mounts). One at most lies on a name of a
 * mount; what is mounted there later lies on the root of that one.
 *
 * mount_lock is held by whoever changes the tree; dentry_lock as well, for the path walk, which has
 * only that. References: the tree holds one on each mount in it, and each place (struct path) one.
 * With the last the mount is put on a list, and goes when somebody may sleep for it.
 */
#ifndef FS_MOUNT_H
#define FS_MOUNT_H

#include "fs/vfs/vfs.h"

struct mount {
    uint32_t refs;   /* atomic */
    uint32_t id;     /* in mountinfo, fdinfo, statx; never used twice */
    uint32_t flags;  /* [mount_lock] MS_* that are of this mount alone, read without */
    int32_t writers; /* atomic: files open for writing through it */
    bool expiring;   /* [dentry_lock] MNT_EXPIRE asked, and nobody has walked into it since */
    bool stopped;    /* [mount_lock] mount_setattr(2) is about to make it read-only */
    char *source;    /* as /proc/mounts shows it */
    struct superblock *sb;
    struct dentry *root;   /* a reference */
    struct mount *parent;  /* [dentry_lock] NULL: the first, or in no tree */
    struct dentry *at;     /* [dentry_lock] in the parent, a reference */
    struct mount *next_at; /* [dentry_lock] on the same name, in another mount */
    struct list link;      /* [mount_lock] in mounts; of one that is gone: [dentry_lock] */
    struct list of_sb;     /* [mount_lock, dentry_lock] */
    struct list children;  /* [mount_lock] oldest first */
    struct list sibling;   /* [mount_lock] */
    /* Of one step's work, [mount_lock]: its copy, or where it, a copy, goes to; whether it goes, or
     * was shared just now; the next that it spreads to. */
    struct mount *copy, *receiver;
    bool going, shared_now;
    bool fresh;      /* [mount_lock] it was never in the table: nothing spreads to it */
    bool unbindable; /* [mount_lock] */
    bool detached;   /* [mount_lock] the top of a tree of its own that an open file holds */
    struct mount_group *group;  /* [mount_lock] that shares what is mounted in it, or NULL */
    struct mount_group *master; /* [mount_lock] whose mounts appear in it, or NULL */
    struct list peer, slave;    /* [mount_lock] in those */
};

/* Of what is mounted nowhere: pipes, memory files. It does not end. */
extern struct mount nowhere;
extern struct list mounts; /* [mount_lock] all in the tree, in order of mounting */

#define MOUNT_FLAGS                                                                                \
    (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOSYMFOLLOW | MS_NOATIME | MS_NODIRATIME |  \
     MS_RELATIME)

void mount_gone(struct mount *m); /* the last reference is */
static inline void mount_ref(struct mount *m)
{
    __atomic_fetch_add(&m->refs, 1, __ATOMIC_RELAXED);
}
static inline void mount_unref(struct mount *m)
{
    if (__atomic_sub_fetch(&m->refs, 1, __ATOMIC_ACQ_REL) == 0)
        mount_gone(m);
}

/* [dentry_lock held] What is mounted on p, or NULL. */
static inline struct mount *mount_on(const struct path *p)
{
    struct mount *m = p->dentry->mounted;

    while (m && m->parent != p->mount)
        m = m->next_at;
    return m;
}
/* [dentry_lock held] From p up to the last that is mounted on it. Counts as use. */
static inline void path_to_top(struct path *p)
{
    struct mount *m;

    while (p->dentry->mounted && (m = mount_on(p)) != NULL) {
        m->expiring = false;
        *p = (struct path){m, m->root};
    }
}

/* ---- With mount_lock held ---- */

/* One that shows sb from root on, in no tree, with one reference. NULL: mount_new_error(). */
struct mount *mount_new(struct superblock *sb, struct dentry *root, uint32_t flags,
                        const char *source);
int mount_new_error(void);
bool mount_in_tree(const struct mount *m);
/* The one after m, from the outside in, of top and all below it; NULL after the last. */
struct mount *mount_next(struct mount *m, const struct mount *top);
bool mount_is_below(const struct mount *b, const struct mount *a); /* or the same */
/* Where something is mounted that is asked to be at where: on top of all that is there. The
 * reference moves along. -ENOENT: it is unlinked; -EINVAL: not in the tree. */
int mount_target(struct path *where);
/* top and what is below it are in the table from now on. */
void mount_show(struct mount *top);
/* Puts m at where, from where it is or anew; nothing is mounted there. -ENOENT: it is unlinked. */
int mount_attach(struct mount *m, const struct path *where);
/* [dentry_lock held] The same in two halves; the reference to what m was on is the caller's. */
struct dentry *mount_unlink(struct mount *m);
void mount_link(struct mount *m, const struct path *where);
/* Takes top and what is below it out of the tree; each for itself lives on while it is used. */
void mount_take_out(struct mount *top);
/* A copy of top, shown from root on, and if deep of what is mounted below that, in no tree; what is
 * unbindable is left out. relation: enum relation, of each to its original. */
int mount_copy(struct mount *top, struct dentry *root, bool deep, int relation, struct mount **out);
void mounts_reap(void);    /* those without references end; may sleep */
void mounts_changed(void); /* who waits for the table is told */

/* ---- Without ---- */

/* What of the file system it shows: a path from its root, in buf. */
char *mount_root_name(const struct mount *m, char *buf, size_t size);

static inline bool mount_readonly(const struct mount *m)
{
    return (m->flags & MS_RDONLY) || (m->sb && (m->sb->flags & MS_RDONLY));
}
static inline bool path_readonly(const struct path *p)
{
    const struct superblock *sb = p->dentry->inode->sb;

    return (p->mount->flags & MS_RDONLY) || (sb && (sb->flags & MS_RDONLY));
}

#endif
