/*
 * dnotify, which inotify replaced: the owner of an open directory gets a signal when something
 * happens in it. man 2 fcntl, F_NOTIFY
 *
 * Each descriptor table asks for itself, through the file; a mark for each pair of them.
 */
#include "fs/notify/dnotify.h"
#include "fs/notify/notify.h"
#include "fs/notify/owner.h"
#include "fs/vfs/limits.h"
#include "fs/vfs/internal.h"

#define DN_ACCESS    0x01u
#define DN_MODIFY    0x02u
#define DN_CREATE    0x04u
#define DN_DELETE    0x08u
#define DN_RENAME    0x10u
#define DN_ATTRIB    0x20u
#define DN_MULTISHOT 0x80000000u

struct asker {
    struct notify_mark mark; /* first */
    const struct files *files;
    struct file *file; /* no reference: closing it ends this */
    int fd;
    uint32_t events; /* [notify_lock] IN_* */
    bool multishot;  /* [notify_lock] */
};

static bool asker_tell(struct notify_mark *m, const struct notify_event *e)
{
    struct asker *a = (struct asker *)m;

    if (!(e->what & a->events))
        return false;
    owner_signal(a->file, a->fd, POLL_MSG);
    return !a->multishot;
}

static void asker_ended(struct notify_mark *m)
{
    ((struct asker *)m)->file->dnotify--;
}

static void asker_free(struct notify_mark *m)
{
    kmfree(m);
}

static const struct notify_listener asker_ops = {
    .tell = asker_tell,
    .ended = asker_ended,
    .free = asker_free,
};

static uint32_t events_of(uint32_t dn)
{
    uint32_t in = 0;

    if (dn & DN_ACCESS)
        in |= IN_ACCESS;
    if (dn & DN_MODIFY)
        in |= IN_MODIFY;
    if (dn & DN_CREATE)
        in |= IN_CREATE | IN_MOVED_TO;
    if (dn & DN_DELETE)
        in |= IN_DELETE | IN_MOVED_FROM;
    if (dn & DN_RENAME)
        in |= IN_MOVED_FROM | IN_MOVED_TO;
    if (dn & DN_ATTRIB)
        in |= IN_ATTRIB;
    return in;
}

/* [notify_lock held] */
static struct asker *find(const struct file *f, const struct files *files)
{
    struct notify_mark *m;

    for (m = f->inode->marks; m; m = m->next) {
        struct asker *a = (struct asker *)m;

        if (m->ops == &asker_ops && a->file == f && a->files == files)
            return a;
    }
    return NULL;
}

void dnotify_close(struct file *f, const struct files *files)
{
    struct notify_mark *dead = NULL;
    struct asker *a;

    spin_lock(&notify_lock);
    a = find(f, files);
    if (a)
        notify_remove(&a->mark, &dead);
    spin_unlock(&notify_lock);
    notify_free(dead);
}

/* Of several requests the events add up. */
static int ask(struct file *f, int fd, uint32_t events)
{
    const struct files *files = proc_current()->files;
    struct asker *fresh = kzalloc(sizeof(*fresh)), *a;

    if (!fresh)
        return -ENOMEM;
    spin_lock(&notify_lock);
    a = find(f, files);
    if (!a) {
        a = fresh;
        fresh = NULL;
        a->file = f;
        a->files = files;
        f->dnotify++;
        notify_add(&a->mark, f->inode, &asker_ops);
    }
    a->fd = fd;
    a->events |= events_of(events);
    a->multishot |= !!(events & DN_MULTISHOT);
    spin_unlock(&notify_lock);
    kmfree(fresh);
    return 0;
}

/* Another thread may have closed fd meanwhile, and seen no request. */
static int ask_unless_closed(struct file *f, int fd, uint32_t events)
{
    int err = ask(f, fd, events);
    struct file *now = err ? NULL : fd_get_any(fd);

    if (!err && now != f)
        dnotify_close(f, proc_current()->files);
    if (now)
        file_put(now);
    return err;
}

long dnotify_fcntl(struct file *f, int fd, uint32_t events)
{
    if (!fs_rules.dir_notify)
        return -EINVAL;
    if (!(events & ~DN_MULTISHOT)) {
        dnotify_close(f, proc_current()->files);
        return 0;
    }
    if (!S_ISDIR(f->inode->mode))
        return -ENOTDIR;
    owner_set_current(f, false);
    return ask_unless_closed(f, fd, events);
}
