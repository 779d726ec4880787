/*
 * Reading directories: getdents and its kin.
 *
 * A directory of an in-memory file system is its list of children, newest first as on Linux, in
 * order of cookies, which are not used twice in one directory while it has entries: an offset
 * (OFFSET_END less the highest cookie still to come) stays good whatever is made or removed
 * meanwhile. The inode lock is held while entries are copied out, so that the list stands still
 * without a spin lock.
 */
#include "fs/notify/notify.h"
#include "fs/vfs/internal.h"
#include "arch/uaccess.h"
#include "libc/string.h"

struct dirent64 {
    uint64_t ino;
    uint64_t off;
    uint16_t reclen;
    uint8_t type;
    char name[];
} __attribute__((packed));

struct dirent32 { /* the type follows the name, in the last byte of the record */
    uint32_t ino;
    uint32_t off;
    uint16_t reclen;
    char name[];
} __attribute__((packed));

struct dirent_readdir { /* readdir(2): one entry only */
    uint32_t ino;
    uint32_t off;
    uint16_t namelen;
    char name[];
} __attribute__((packed));

struct dir_reader {
    struct dir_context ctx;
    char __user *ubuf; /* where the next entry goes */
    uint32_t left;     /* bytes left there */
    char __user *prev; /* the entry before it, whose offset is not known yet, or NULL */
    int err;
};

#define OFFSET_END 0x7fffffffu /* offsets fit what 32-bit programs keep them in */
#define RECORD_MAX 288         /* the longest record: header, NAME_MAX, padding */

static uint32_t align_up(uint32_t n, uint32_t to)
{
    return (n + to - 1) & ~(to - 1);
}

/* Room for a record of reclen bytes, with the offset of the one before it filled in. */
static bool take_room(struct dir_reader *r, uint32_t reclen, uint32_t off_at, uint32_t off_size)
{
    if (reclen > r->left) {
        if (!r->prev)
            r->err = -EINVAL;
        return false;
    }
    if (r->prev && copy_to_user(r->prev + off_at, &r->ctx.pos, off_size)) {
        r->err = -EFAULT;
        return false;
    }
    return true;
}

static bool put_record(struct dir_reader *r, const void *record, uint32_t reclen)
{
    if (copy_to_user(r->ubuf, record, reclen)) {
        r->err = -EFAULT;
        return false;
    }
    r->prev = r->ubuf;
    r->ubuf += reclen;
    r->left -= reclen;
    return true;
}

static bool emit64(struct dir_context *ctx, const char *name, size_t len, uint32_t ino,
                   uint32_t type)
{
    struct dir_reader *r = container_of(ctx, struct dir_reader, ctx);
    uint32_t reclen = align_up(sizeof(struct dirent64) + len + 1, 8);
    char record[RECORD_MAX] __attribute__((aligned(8)));
    struct dirent64 *e = (struct dirent64 *)record;

    if (!take_room(r, reclen, offsetof(struct dirent64, off), 8))
        return false;
    e->ino = ino;
    e->off = 0;
    e->reclen = reclen;
    e->type = type;
    memcpy(e->name, name, len);
    memset(e->name + len, 0, reclen - sizeof(*e) - len);
    return put_record(r, record, reclen);
}

static bool emit32(struct dir_context *ctx, const char *name, size_t len, uint32_t ino,
                   uint32_t type)
{
    struct dir_reader *r = container_of(ctx, struct dir_reader, ctx);
    uint32_t reclen = align_up(sizeof(struct dirent32) + len + 2, 4);
    char record[RECORD_MAX] __attribute__((aligned(8)));
    struct dirent32 *e = (struct dirent32 *)record;

    if (!take_room(r, reclen, offsetof(struct dirent32, off), 4))
        return false;
    e->ino = ino;
    e->off = 0;
    e->reclen = reclen;
    memcpy(e->name, name, len);
    memset(e->name + len, 0, reclen - sizeof(*e) - len);
    record[reclen - 1] = type;
    return put_record(r, record, reclen);
}

static bool emit_one(struct dir_context *ctx, const char *name, size_t len, uint32_t ino,
                     uint32_t type)
{
    struct dir_reader *r = container_of(ctx, struct dir_reader, ctx);
    uint32_t reclen = sizeof(struct dirent_readdir) + len + 1;
    char record[RECORD_MAX] __attribute__((aligned(8)));
    struct dirent_readdir *e = (struct dirent_readdir *)record;

    (void)type;
    if (r->prev)
        return false;
    e->ino = ino;
    e->off = (uint32_t)ctx->pos;
    e->namelen = len;
    memcpy(e->name, name, len);
    e->name[len] = '\0';
    return put_record(r, record, reclen);
}

/* ---- Iteration ---- */

/* As on Linux the root of a file system is its own parent: the entry does not tell of mounts. */
static uint32_t parent_ino(const struct dentry *d)
{
    return d->parent ? d->parent->inode->ino : d->inode->ino;
}

static bool emit_dots(struct file *f, struct dir_context *ctx)
{
    if (ctx->pos == 0) {
        if (!dir_emit(ctx, ".", 1, f->inode->ino, S_IFDIR))
            return false;
        ctx->pos = 1;
    }
    if (ctx->pos == 1) {
        if (!dir_emit(ctx, "..", 2, parent_ino(f->dentry), S_IFDIR))
            return false;
        ctx->pos = 2;
    }
    return true;
}

static bool is_first(const struct dentry *d)
{
    return d->sibling.prev == &d->parent->children;
}

/* [dir's inode lock held] The place in the list of the entry to go on with: where the last reader
 * stopped, mostly. */
static struct list *find_place(struct dentry *dir, uint32_t cookie)
{
    struct dentry *last = dir->read_next, *d;

    if (last && last->cookie <= cookie &&
        (is_first(last) || list_entry(last->sibling.prev, struct dentry, sibling)->cookie > cookie))
        return &last->sibling;
    list_for_each_entry (d, &dir->children, sibling) {
        if (d->cookie <= cookie)
            return &d->sibling;
        sched_point();
    }
    return &dir->children;
}

static void remember(struct dentry *dir, struct dentry *next)
{
    spin_lock(&dentry_lock);
    dir->read_next = next;
    spin_unlock(&dentry_lock);
}

/* [dir's inode lock held] The entries of an in-memory directory. */
static void emit_children(struct dentry *dir, struct dir_context *ctx)
{
    struct list *at = find_place(dir, OFFSET_END - (uint32_t)ctx->pos);

    for (; at != &dir->children; at = at->next) {
        struct dentry *d = list_entry(at, struct dentry, sibling);

        ctx->pos = OFFSET_END - d->cookie;
        if (!dir_emit(ctx, d->name, d->name_len, d->inode->ino, d->inode->mode)) {
            remember(dir, d);
            return;
        }
        ctx->pos++;
        sched_point();
    }
    remember(dir, NULL);
}

static int iterate(struct file *f, struct dir_context *ctx)
{
    struct inode *i = f->inode;
    int err = 0;

    mutex_lock(&i->lock);
    if (f->dentry->unlinked)
        err = -ENOENT;
    else if (i->ops->fill)
        err = i->ops->fill(f->dentry);
    if (!err && emit_dots(f, ctx) && i->ops->iterate)
        err = i->ops->iterate(f, ctx);
    else if (!err && ctx->pos >= 2 && ctx->pos <= OFFSET_END && !i->ops->lookup)
        emit_children(f->dentry, ctx);
    inode_accessed(i, f->mount);
    mutex_unlock(&i->lock);
    return err;
}

static int read_dir(struct file *f, struct dir_reader *r)
{
    int err;

    if (!S_ISDIR(f->inode->mode))
        return -ENOTDIR;
    mutex_lock(&f->pos_lock);
    r->ctx.pos = f->pos;
    err = iterate(f, &r->ctx);
    f->pos = r->ctx.pos;
    mutex_unlock(&f->pos_lock);
    notify_file(f, IN_ACCESS);
    return err;
}

/* off_at and off_size: where a record keeps the offset of the next. */
static long getdents(uint32_t fd, void __user *ubuf, uint32_t size, uint32_t off_at,
                     uint32_t off_size,
                     bool (*emit)(struct dir_context *, const char *, size_t, uint32_t, uint32_t))
{
    struct dir_reader r = {.ctx.emit = emit, .ubuf = ubuf, .left = size};
    struct file *f = fd_get((int)fd);
    long err;

    if (!f)
        return -EBADF;
    err = read_dir(f, &r);
    if (!err)
        err = r.err;
    if (r.prev) {
        err = copy_to_user(r.prev + off_at, &r.ctx.pos, off_size);
        if (!err)
            err = size - r.left;
    }
    file_put(f);
    return err;
}

long sys_getdents64(uint32_t fd, void __user *ubuf, uint32_t size)
{
    return getdents(fd, ubuf, size, offsetof(struct dirent64, off), 8, emit64);
}

long sys_getdents(uint32_t fd, void __user *ubuf, uint32_t size)
{
    return getdents(fd, ubuf, size, offsetof(struct dirent32, off), 4, emit32);
}

long sys_readdir(uint32_t fd, void __user *ubuf)
{
    struct dir_reader r = {.ctx.emit = emit_one, .ubuf = ubuf, .left = RECORD_MAX};
    struct file *f = fd_get((int)fd);
    long err;

    if (!f)
        return -EBADF;
    err = read_dir(f, &r);
    file_put(f);
    if (!err)
        err = r.err;
    return r.prev ? 1 : err;
}

/* ---- Operations of an open directory ---- */

static long dir_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    (void)f;
    (void)ubuf;
    (void)len;
    (void)pos;
    return -EISDIR;
}

static int64_t dir_seek(struct file *f, int64_t offset, int whence)
{
    return whence == SEEK_SET || whence == SEEK_CUR ? generic_seek(f, offset, whence, 0) : -EINVAL;
}

static int dir_fsync(struct file *f)
{
    struct inode *i = f->inode;

    return i->ops && i->ops->fsync ? i->ops->fsync(i) : 0;
}

const struct file_ops dir_file_ops = {.read = dir_read, .seek = dir_seek, .fsync = dir_fsync};
