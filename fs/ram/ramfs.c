/*
 * The in-memory file system behind rootfs, tmpfs, ramfs and devtmpfs; their types are in
 * ramfs_mount.c.
 *
 * Names live in pinned dentries; a regular file's bytes live in its object's pages, which have no
 * other home. A page nobody touched costs nothing: it is a hole of zeros, or bytes of the boot
 * archive that are copied in on the first touch. The object may outlive its inode (a mapping of
 * an unlinked file), so what the pager needs is in a struct ramfs_file that dies with the object.
 */
#include "fs/ram/ramfs.h"
#include "fs/archive/archive.h"
#include "libc/errno.h"
#include "libc/string.h"

#define SHORT_LINK   127 /* longer targets count as a page */
#define DIRENT_BYTES 20  /* what a name adds to the size of its directory, as in Linux's tmpfs */

struct ramfs_file {
    struct ramfs_super *super;
    struct inode *inode; /* [ramfs_lock] NULL once the inode is gone; no reference */
    uint32_t ino, dev;
    const struct archive *archive; /* where the first archive_size bytes come from */
    uint32_t archive_offset, archive_size;
    uint32_t pages; /* [ramfs_lock] charged to super */
    struct mapped_write written;
    char *deleted_name; /* the last name it had, for mappings that outlive it; or NULL */
};

static struct spinlock ramfs_lock = SPINLOCK_INIT("ramfs", LOCK_RANK_FS);
static uint32_t total_pages; /* [ramfs_lock] charged to all of them */

/* ---- Accounting ---- */

static bool may_limit(uint32_t used, uint32_t now, uint32_t wanted)
{
    return wanted == now || !wanted || (now && used <= wanted);
}

int ramfs_set_limits(struct ramfs_super *s, uint32_t pages, uint32_t inodes)
{
    bool may;

    spin_lock(&ramfs_lock);
    may = may_limit(s->used_pages, s->max_pages, pages) &&
          may_limit(s->used_inodes, s->max_inodes, inodes);
    if (may) {
        s->max_pages = pages;
        s->max_inodes = inodes;
    }
    spin_unlock(&ramfs_lock);
    return may ? 0 : -EINVAL;
}

void ramfs_super_put(struct ramfs_super *s)
{
    bool last;

    spin_lock(&ramfs_lock);
    last = --s->refs == 0;
    spin_unlock(&ramfs_lock);
    if (last)
        kmfree(s);
}

static uint32_t lesser(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/*
 * The file has so many pages that only memory holds; those read from the archive do not count,
 * since they can be dropped. mm/ may have dropped others, so what is resident is an upper bound:
 * callers take the lesser. -ENOSPC when that is over the limit of the file system.
 */
static int charge_pages(struct ramfs_file *f, uint32_t pages)
{
    struct ramfs_super *s = f->super;
    uint32_t used;
    int err = 0;

    spin_lock(&ramfs_lock);
    used = s->used_pages - f->pages + pages;
    if (pages > f->pages && s->max_pages && used > s->max_pages) {
        err = -ENOSPC;
    } else {
        s->used_pages = used;
        total_pages += pages - f->pages;
        f->pages = pages;
    }
    spin_unlock(&ramfs_lock);
    return err;
}

uint32_t ramfs_total_pages(void)
{
    return total_pages;
}

/* Room for inodes more, or names more of a file that has some, and for pages: each costs memory
 * that nobody can be asked to give back. -ENOSPC. */
static int reserve(struct ramfs_super *s, uint32_t inodes, uint32_t pages)
{
    bool full;

    spin_lock(&ramfs_lock);
    full = (inodes && s->max_inodes && s->used_inodes >= s->max_inodes) ||
           (pages && s->max_pages && s->used_pages + pages > s->max_pages);
    if (!full) {
        s->used_inodes += inodes;
        s->used_pages += pages;
    }
    spin_unlock(&ramfs_lock);
    return full ? -ENOSPC : 0;
}

static void count(struct ramfs_super *s, int32_t inodes, int32_t pages)
{
    spin_lock(&ramfs_lock);
    s->used_inodes += (uint32_t)inodes;
    s->used_pages += (uint32_t)pages;
    spin_unlock(&ramfs_lock);
}

int ramfs_charge_xattr(struct superblock *sb, int32_t pages)
{
    if (pages > 0)
        return reserve(sb->private, 0, (uint32_t)pages);
    count(sb->private, 0, pages);
    return 0;
}

/* A long symbolic link takes a page of the file system's, as in Linux's tmpfs. */
static int32_t link_pages(size_t len)
{
    return len > SHORT_LINK;
}

/* ---- The pager ---- */

static uint32_t archive_pages(const struct ramfs_file *f)
{
    return (f->archive_size >> PAGE_SHIFT) + (f->archive_size % PAGE_SIZE != 0);
}

/* A page that the archive has a part of, the rest zeros. */
static void read_archive(const struct ramfs_file *f, uint32_t index, void *page)
{
    uint32_t start = index << PAGE_SHIFT, n = lesser(f->archive_size - start, PAGE_SIZE);

    archive_copy(f->archive, f->archive_offset + start, page, n);
    memset((char *)page + n, 0, PAGE_SIZE - n);
}

static int ramfs_get(struct vm_object *o, struct vm_run *run)
{
    struct ramfs_file *f = vm_object_private(o);
    unsigned n;

    if (run->index >= archive_pages(f)) {
        if (charge_pages(f, lesser(f->pages + 1, vm_object_pages(o))))
            return -ENOSPC;
        page_zero(run->page[0]);
        run->fresh = true;
        return 1;
    }
    for (n = 0; n < run->count && run->index + n < archive_pages(f); n++)
        read_archive(f, run->index + n, run->page[n]);
    return (int)n;
}

static void ramfs_object_destroy(struct vm_object *o)
{
    struct ramfs_file *f = vm_object_private(o);

    charge_pages(f, 0);
    ramfs_super_put(f->super);
    kmfree(f->deleted_name);
    kmfree(f);
}

/* The inode, unless it is being destroyed. */
static struct inode *file_inode(struct ramfs_file *f)
{
    struct inode *i;

    spin_lock(&ramfs_lock);
    i = f->inode && inode_try_ref(f->inode) ? f->inode : NULL;
    spin_unlock(&ramfs_lock);
    return i;
}

static void ramfs_describe(struct vm_object *o, char *buf, size_t size, uint32_t *ino,
                           uint32_t *dev)
{
    struct ramfs_file *f = vm_object_private(o);
    struct inode *i = file_inode(f);

    *ino = f->ino;
    *dev = f->dev;
    buf[0] = '\0';
    if (i) {
        inode_path(i, buf, size);
        inode_unref(i);
    }
    if (buf[0] == '\0') {
        strlcpy(buf, f->deleted_name ? f->deleted_name : "", size);
        strlcat(buf, " (deleted)", size);
    }
}

static bool ramfs_zero_behind(const struct vm_object *o, uint32_t index)
{
    return index >= archive_pages(vm_object_private(o));
}

static void ramfs_written(struct vm_object *o)
{
    struct ramfs_file *f = vm_object_private(o);

    mapped_write_note(&f->written);
}

static void ramfs_settle(struct inode *i)
{
    struct ramfs_file *f = vm_object_private(i->object);

    inode_settle_from(i, &f->written);
}

static const struct pager ramfs_pager = {
    .name = "ramfs",
    .get = ramfs_get,
    .written = ramfs_written,
    .zero_behind = ramfs_zero_behind,
    .destroy = ramfs_object_destroy,
    .describe = ramfs_describe,
};

/* ---- Inodes ---- */

static const struct inode_ops ramfs_dir_ops, ramfs_awaiting_ops, ramfs_file_ops, ramfs_special_ops;
static const struct inode_ops ramfs_link_ops, ramfs_archive_link_ops;

static int file_init(struct inode *i)
{
    struct ramfs_super *super = i->sb->private;
    struct ramfs_file *f = kzalloc(sizeof(*f));

    if (!f)
        return -ENOMEM;
    f->super = super;
    f->inode = i;
    f->ino = i->ino;
    f->dev = i->sb->dev;
    i->object = vm_object_create(&ramfs_pager, f, 0);
    if (!i->object) {
        kmfree(f);
        return -ENOMEM;
    }
    spin_lock(&ramfs_lock);
    super->refs++;
    spin_unlock(&ramfs_lock);
    i->ops = &ramfs_file_ops;
    i->fops = &object_file_ops;
    i->seals = F_SEALABLE | F_SEAL_SEAL;
    return 0;
}

struct inode *ramfs_make(struct inode *i, uint32_t rdev)
{
    uint32_t mode;

    if (!i)
        return NULL;
    count(i->sb->private, 1, 0);
    mode = i->mode;
    i->rdev = rdev;
    i->ops = &ramfs_special_ops;
    if (S_ISDIR(mode)) {
        i->ops = &ramfs_dir_ops;
        i->nlink = 2;
        i->bytes = 2 * DIRENT_BYTES;
    } else if (S_ISREG(mode) && file_init(i)) {
        inode_unref(i);
        return NULL;
    }
    return i;
}

struct inode *ramfs_inode(struct superblock *sb, uint32_t mode, uint32_t rdev)
{
    return ramfs_make(inode_new(sb, mode), rdev);
}

struct inode *ramfs_make_link(struct inode *i, const char *target, size_t len)
{
    char *text;

    if (!i)
        return NULL;
    text = len < PATH_MAX ? kmalloc(len + 1) : NULL;
    if (!text) {
        inode_unref(i);
        return NULL;
    }
    memcpy(text, target, len);
    ramfs_make_archive_link(i, text, len);
    i->ops = &ramfs_link_ops;
    return i;
}

struct inode *ramfs_make_archive_link(struct inode *i, const char *target, size_t len)
{
    if (!i)
        return NULL;
    count(i->sb->private, 1, link_pages(len));
    i->ops = &ramfs_archive_link_ops;
    i->private = (void *)(uintptr_t)target;
    i->bytes = (uint32_t)len;
    return i;
}

int ramfs_set_contents(struct inode *i, const struct archive *archive, uint32_t offset,
                       uint32_t size)
{
    struct ramfs_file *f = vm_object_private(i->object);
    int err = 0;

    f->archive_size = 0;
    if (vm_object_size(i->object) != 0)
        err = vm_object_resize(i->object, 0);
    if (!err)
        err = vm_object_resize(i->object, size);
    if (err)
        return err;
    f->archive = archive;
    f->archive_offset = offset;
    f->archive_size = size;
    return 0;
}

struct dentry *ramfs_attach(struct dentry *dir, const char *name, size_t len, struct inode *inode)
{
    bool is_dir = S_ISDIR(inode->mode);
    struct dentry *d = dentry_add(dir, name, len, inode);

    if (!d)
        return NULL;
    dir->inode->bytes += DIRENT_BYTES;
    if (is_dir)
        dir->inode->nlink++;
    return d;
}

void ramfs_await(struct inode *dir, int32_t n)
{
    count(dir->sb->private, n, 0);
    dir->bytes += (uint32_t)n * DIRENT_BYTES;
    dir->ops = dir->private ? &ramfs_awaiting_ops : &ramfs_dir_ops;
}

/* ---- Directory operations ---- */

/* Makes inode the entry d of dir. A set-group-id directory passes its group on. */
static int dir_enter(struct inode *dir, struct dentry *d, struct inode *inode)
{
    if (!inode)
        return -ENOMEM;
    if (dir->mode & S_ISGID) {
        inode->gid = dir->gid;
        if (S_ISDIR(inode->mode))
            inode->mode |= S_ISGID;
    }
    inode->flags = dir->flags & (INODE_NODUMP | INODE_NOATIME);
    if (S_ISDIR(inode->mode))
        dir->nlink++;
    dir->bytes += DIRENT_BYTES;
    d->inode = inode;
    inode_touch(dir, false, true, true);
    return 0;
}

/* The reservation makes sure that there is room; what is made then counts by itself. */
static int ramfs_mknod(struct inode *dir, struct dentry *d, uint32_t mode, uint32_t rdev)
{
    int err = reserve(dir->sb->private, 1, 0);

    if (err)
        return err;
    err = dir_enter(dir, d, ramfs_inode(dir->sb, mode, rdev));
    count(dir->sb->private, -1, 0);
    return err;
}

static int ramfs_create(struct inode *dir, struct dentry *d, uint32_t mode)
{
    return ramfs_mknod(dir, d, S_IFREG | (mode & ~S_IFMT), 0);
}

static int ramfs_mkdir(struct inode *dir, struct dentry *d, uint32_t mode)
{
    return ramfs_mknod(dir, d, S_IFDIR | (mode & ~S_IFMT), 0);
}

static int ramfs_symlink(struct inode *dir, struct dentry *d, const char *target)
{
    struct ramfs_super *s = dir->sb->private;
    size_t len = strlen(target);
    int err = reserve(s, 1, (uint32_t)link_pages(len));

    if (err)
        return err;
    err = dir_enter(dir, d, ramfs_make_link(inode_new(dir->sb, S_IFLNK | 0777), target, len));
    count(s, -1, -link_pages(len));
    return err;
}

/* A name costs as much as a file; the first one of an O_TMPFILE has been paid for. */
static int ramfs_link(struct inode *dir, struct dentry *d, struct inode *target)
{
    int err = target->nlink ? reserve(dir->sb->private, 1, 0) : 0;

    if (err)
        return err;
    inode_ref(target);
    target->nlink++;
    inode_touch(target, false, false, true);
    d->inode = target;
    dir->bytes += DIRENT_BYTES;
    inode_touch(dir, false, true, true);
    return 0;
}

bool ramfs_set_deleted_name(struct inode *i, const char *path)
{
    struct ramfs_file *f = vm_object_private(i->object);

    f->deleted_name = kmalloc(strlen(path) + 1);
    if (f->deleted_name)
        strcpy(f->deleted_name, path);
    return f->deleted_name != NULL;
}

/* The file loses its last name. Nobody can have mapped it unless some page is there. */
static void remember_name(struct inode *i)
{
    struct ramfs_file *f = vm_object_private(i->object);
    char path[100];

    if (!vm_object_pages(i->object) || f->deleted_name)
        return;
    inode_path(i, path, sizeof(path));
    (void)ramfs_set_deleted_name(i, path);
}

static int ramfs_unlink(struct inode *dir, struct dentry *d)
{
    if (--d->inode->nlink > 0)
        count(dir->sb->private, -1, 0);
    else if (S_ISREG(d->inode->mode))
        remember_name(d->inode);
    dir->bytes -= DIRENT_BYTES;
    inode_touch(d->inode, false, false, true);
    inode_touch(dir, false, true, true);
    return 0;
}

static int ramfs_rmdir(struct inode *dir, struct dentry *d)
{
    if (d->inode->private || !dentry_is_empty(d))
        return -ENOTEMPTY;
    d->inode->nlink = 0;
    dir->nlink--;
    dir->bytes -= DIRENT_BYTES;
    inode_touch(d->inode, false, false, true);
    inode_touch(dir, false, true, true);
    return 0;
}

/* What is at the new name (same kind, as the VFS checked) goes away. */
static int rename_over(struct inode *newdir, struct dentry *new)
{
    return S_ISDIR(new->inode->mode) ? ramfs_rmdir(newdir, new) : ramfs_unlink(newdir, new);
}

static int ramfs_rename(struct inode *olddir, struct dentry *old, struct inode *newdir,
                        struct dentry *new)
{
    int err = new->inode ? rename_over(newdir, new) : 0;

    if (err)
        return err;
    if (S_ISDIR(old->inode->mode)) {
        olddir->nlink--;
        newdir->nlink++;
    }
    olddir->bytes -= DIRENT_BYTES;
    newdir->bytes += DIRENT_BYTES;
    inode_touch(old->inode, false, false, true);
    inode_touch(olddir, false, true, true);
    inode_touch(newdir, false, true, true);
    return 0;
}

/* ---- Files and links ---- */

static int ramfs_truncate(struct inode *i, uint64_t size)
{
    struct ramfs_file *f = vm_object_private(i->object);
    int err;

    err = vm_object_resize(i->object, size);
    if (!err && size < f->archive_size)
        f->archive_size = (uint32_t)size;
    charge_pages(f, lesser(f->pages, vm_object_pages(i->object)));
    return err;
}

static int ramfs_punch(struct inode *i, uint64_t from, uint64_t len)
{
    struct ramfs_file *f = vm_object_private(i->object);
    int err = vm_object_punch(i->object, from, len);

    charge_pages(f, lesser(f->pages, vm_object_pages(i->object)));
    return err;
}

/* What is read from a hole leaves clean pages, which are no data. */
static bool ramfs_next_data(const struct inode *i, uint32_t *index)
{
    const struct ramfs_file *f = vm_object_private(i->object);

    return *index < archive_pages(f) || vm_object_next_dirty(i->object, index);
}

/* Pages only memory holds and those of the archive, touched or not: what Linux would have unpacked.
 */
static uint64_t ramfs_blocks(const struct inode *i)
{
    const struct ramfs_file *f = vm_object_private(i->object);

    return (uint64_t)(f->pages + archive_pages(f)) * (PAGE_SIZE / 512);
}

static void ramfs_inode_destroy(struct inode *i)
{
    count(i->sb->private, -1, 0);
}

static void ramfs_file_destroy(struct inode *i)
{
    struct ramfs_file *f = vm_object_private(i->object);

    spin_lock(&ramfs_lock);
    f->inode = NULL;
    spin_unlock(&ramfs_lock);
    ramfs_inode_destroy(i);
}

static int ramfs_readlink(struct inode *i, char *buf, size_t size)
{
    size_t n = i->bytes < size ? i->bytes : size;

    memcpy(buf, i->private, n);
    return (int)n;
}

static void ramfs_archive_link_destroy(struct inode *i)
{
    count(i->sb->private, -1, -link_pages(i->bytes));
}

static void ramfs_link_destroy(struct inode *i)
{
    ramfs_archive_link_destroy(i);
    kmfree(i->private);
}

static void ramfs_awaiting_destroy(struct inode *dir)
{
    cpio_forget(dir);
    ramfs_inode_destroy(dir);
}

#define DIR_OPS                                                                                    \
    .create = ramfs_create, .mkdir = ramfs_mkdir, .mknod = ramfs_mknod, .symlink = ramfs_symlink,  \
    .link = ramfs_link, .unlink = ramfs_unlink, .rmdir = ramfs_rmdir, .rename = ramfs_rename

static const struct inode_ops ramfs_dir_ops = {DIR_OPS, .destroy = ramfs_inode_destroy};

/* Some of its names are still in the archive alone. */
static const struct inode_ops ramfs_awaiting_ops = {
    DIR_OPS,
    .fill = cpio_fill,
    .destroy = ramfs_awaiting_destroy,
};

static const struct inode_ops ramfs_file_ops = {
    .settle = ramfs_settle,
    .blocks = ramfs_blocks,
    .truncate = ramfs_truncate,
    .punch = ramfs_punch,
    .next_data = ramfs_next_data,
    .destroy = ramfs_file_destroy,
};

static const struct inode_ops ramfs_link_ops = {
    .readlink = ramfs_readlink,
    .destroy = ramfs_link_destroy,
};

static const struct inode_ops ramfs_archive_link_ops = {
    .readlink = ramfs_readlink,
    .destroy = ramfs_archive_link_destroy,
};

static const struct inode_ops ramfs_special_ops = {
    .destroy = ramfs_inode_destroy,
};
