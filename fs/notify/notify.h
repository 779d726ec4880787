/*
 * Telling who wants to know that files change: the hooks that the file layer calls, and the marks
 * that listeners (inotify, dnotify) put on inodes.
 */
#ifndef FS_NOTIFY_H
#define FS_NOTIFY_H

#include "fs/vfs/vfs.h"

/* What happens: the bits of man 7 inotify. */
#define IN_ACCESS        0x00000001u
#define IN_MODIFY        0x00000002u
#define IN_ATTRIB        0x00000004u
#define IN_CLOSE_WRITE   0x00000008u
#define IN_CLOSE_NOWRITE 0x00000010u
#define IN_OPEN          0x00000020u
#define IN_MOVED_FROM    0x00000040u
#define IN_MOVED_TO      0x00000080u
#define IN_CREATE        0x00000100u
#define IN_DELETE        0x00000200u
#define IN_DELETE_SELF   0x00000400u
#define IN_MOVE_SELF     0x00000800u
#define IN_ALL_EVENTS    0x00000fffu
#define IN_UNMOUNT       0x00002000u
#define IN_Q_OVERFLOW    0x00004000u
#define IN_IGNORED       0x00008000u
#define IN_ISDIR         0x40000000u

struct notify_event {
    uint32_t what;    /* IN_* */
    uint32_t cookie;  /* ties the two halves of a move */
    const char *name; /* of the entry, when it is told to its directory; or NULL */
    size_t len;
    bool unlinked; /* that name is gone already */
};

struct notify_mark;
struct notify_listener { /* all with notify_lock held */
    /* True: this was the last event, the mark is to go. */
    bool (*tell)(struct notify_mark *m, const struct notify_event *e);
    void (*ended)(struct notify_mark *m); /* it was taken off */
    void (*free)(struct notify_mark *m);  /* without the lock */
};

/* A listener's interest in an inode, part of a structure of its own. It holds a reference. */
struct notify_mark {
    struct notify_mark *next; /* [notify_lock] of the same inode, or of those to be freed */
    struct list link;         /* [notify_lock] all of them */
    struct inode *inode;
    const struct notify_listener *ops;
    bool gone; /* [notify_lock] taken off */
};

extern struct spinlock notify_lock; /* LOCK_RANK_NOTIFY */
extern uint32_t notify_marks;       /* how many there are */

static inline bool notify_wanted(void)
{
    return notify_marks != 0;
}

/* ---- For the file layer. All may sleep, and do nothing when there are no marks. ---- */

void notify_entry(const struct dentry *d, uint32_t what); /* in its directory: made, or gone */
void notify_at(struct dentry *d, uint32_t what);          /* to its directory and to itself */
void notify_inode(struct inode *i, uint32_t what);        /* to itself alone */
void notify_open_file(const struct file *f, uint32_t what);
static inline void notify_file(const struct file *f,
                               uint32_t what) /* as notify_at; O_PATH: nothing */
{
    if (__builtin_expect(notify_wanted(), false))
        notify_open_file(f, what);
}
/* moved has its new name; from and name: where it was. */
void notify_moved(struct inode *from, const char *name, size_t len, const struct dentry *moved);
void notify_gone(struct inode *i); /* neither a name nor a user is left */
void notify_unmount(const struct superblock *sb);

/* ---- For listeners ---- */

/* [notify_lock held] Puts m, set up but for its links, on the inode, of which it takes a reference.
 */
void notify_add(struct notify_mark *m, struct inode *i, const struct notify_listener *ops);
/* [notify_lock held] Takes it off and puts it before *dead, for notify_free without the lock. */
void notify_remove(struct notify_mark *m, struct notify_mark **dead);
void notify_free(struct notify_mark *dead);

#endif
