/*
 * The in-memory file system: types rootfs, ramfs and tmpfs.
 *
 * Names live in pinned dentries; a regular file's bytes live in its object's pages, which have no
 * other home. A page nobody touched costs nothing: it is a hole of zeros, or bytes of the boot
 * archive that are copied in on the first touch. The object may outlive its inode (a mapping of
 * an unlinked file), so what the pager needs is in a struct ramfs_file that dies with the object.
 */
#include "fs/ramfs.h"
#include "fs/archive.h"
#include "libc/ctype.h"
#include "libc/errno.h"
#include "libc/printf.h"
#include "libc/string.h"

struct ramfs_super {
    uint32_t refs;       /* [ramfs_lock] the superblock and every file */
    uint32_t max_pages;  /* 0: no limit */
    uint32_t used_pages; /* [ramfs_lock] */
};

struct ramfs_file {
    struct ramfs_super *super;
    struct inode *inode; /* [ramfs_lock] NULL once the inode is gone; no reference */
    uint32_t ino, dev;
    const struct archive *archive; /* where the first archive_size bytes come from */
    uint32_t archive_offset, archive_size;
    uint32_t pages; /* [ramfs_lock] charged to super */
};

static struct spinlock ramfs_lock = SPINLOCK_INIT("ramfs", LOCK_RANK_FS);

/* ---- Accounting ----------------------------------------------------------------------------- */

static void super_put(struct ramfs_super *s)
{
    bool last;

    spin_lock(&ramfs_lock);
    last = --s->refs == 0;
    spin_unlock(&ramfs_lock);
    if (last)
        kmfree(s);
}

/* The file has so many pages now; -ENOSPC when that is over the limit of its file system. */
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
        f->pages = pages;
    }
    spin_unlock(&ramfs_lock);
    return err;
}

/* ---- The pager ------------------------------------------------------------------------------ */

static int ramfs_get(struct vm_object *o, uint32_t index, void *page)
{
    struct ramfs_file *f = vm_object_private(o);
    uint32_t start = index << PAGE_SHIFT, n;
    int err = charge_pages(f, vm_object_pages(o));

    if (err)
        return err;
    if (index >= (f->archive_size + PAGE_SIZE - 1) >> PAGE_SHIFT) {
        page_zero(page);
        return VM_PAGE_FRESH;
    }
    n = f->archive_size - start;
    if (n > PAGE_SIZE)
        n = PAGE_SIZE;
    archive_copy(f->archive, f->archive_offset + start, page, n);
    memset((char *)page + n, 0, PAGE_SIZE - n);
    return VM_PAGE_READ;
}

static void ramfs_object_destroy(struct vm_object *o)
{
    struct ramfs_file *f = vm_object_private(o);

    charge_pages(f, 0);
    super_put(f->super);
    kmfree(f);
}

/* The inode, unless it is being destroyed. */
static struct inode *file_inode(struct ramfs_file *f)
{
    struct inode *i;
    uint32_t refs;

    spin_lock(&ramfs_lock);
    i = f->inode;
    if (i) {
        refs = __atomic_load_n(&i->refs, __ATOMIC_RELAXED);
        while (refs && !__atomic_compare_exchange_n(&i->refs, &refs, refs + 1, false,
                                                    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            ;
        if (!refs)
            i = NULL;
    }
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
    if (buf[0] == '\0')
        strlcpy(buf, "(deleted)", size);
}

static const struct pager ramfs_pager = {
    .name = "ramfs",
    .get = ramfs_get,
    .destroy = ramfs_object_destroy,
    .describe = ramfs_describe,
};

/* ---- Inodes --------------------------------------------------------------------------------- */

static const struct inode_ops ramfs_dir_ops, ramfs_file_ops, ramfs_link_ops, ramfs_special_ops;

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
    return 0;
}

struct inode *ramfs_make(struct inode *i, uint32_t rdev)
{
    uint32_t mode;

    if (!i)
        return NULL;
    mode = i->mode;
    i->rdev = rdev;
    i->ops = &ramfs_special_ops;
    if (S_ISDIR(mode)) {
        i->ops = &ramfs_dir_ops;
        i->nlink = 2;
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
    text[len] = '\0';
    i->ops = &ramfs_link_ops;
    i->private = text;
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

    if (d && is_dir)
        dir->inode->nlink++;
    return d;
}

/* ---- Directory operations ------------------------------------------------------------------- */

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
    if (S_ISDIR(inode->mode))
        dir->nlink++;
    d->inode = inode;
    inode_touch(dir, false, true, true);
    return 0;
}

static int ramfs_create(struct inode *dir, struct dentry *d, uint32_t mode)
{
    return dir_enter(dir, d, ramfs_inode(dir->sb, S_IFREG | (mode & ~S_IFMT), 0));
}

static int ramfs_mkdir(struct inode *dir, struct dentry *d, uint32_t mode)
{
    return dir_enter(dir, d, ramfs_inode(dir->sb, S_IFDIR | (mode & ~S_IFMT), 0));
}

static int ramfs_mknod(struct inode *dir, struct dentry *d, uint32_t mode, uint32_t rdev)
{
    return dir_enter(dir, d, ramfs_inode(dir->sb, mode, rdev));
}

static int ramfs_symlink(struct inode *dir, struct dentry *d, const char *target)
{
    return dir_enter(dir, d,
                     ramfs_make_link(inode_new(dir->sb, S_IFLNK | 0777), target, strlen(target)));
}

static int ramfs_link(struct inode *dir, struct dentry *d, struct inode *target)
{
    inode_ref(target);
    target->nlink++;
    inode_touch(target, false, false, true);
    d->inode = target;
    inode_touch(dir, false, true, true);
    return 0;
}

static int ramfs_unlink(struct inode *dir, struct dentry *d)
{
    d->inode->nlink--;
    inode_touch(d->inode, false, false, true);
    inode_touch(dir, false, true, true);
    return 0;
}

static int ramfs_rmdir(struct inode *dir, struct dentry *d)
{
    if (!dentry_is_empty(d))
        return -ENOTEMPTY;
    d->inode->nlink = 0;
    dir->nlink--;
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
    inode_touch(old->inode, false, false, true);
    inode_touch(olddir, false, true, true);
    inode_touch(newdir, false, true, true);
    return 0;
}

/* ---- Files and links ------------------------------------------------------------------------ */

static int ramfs_truncate(struct inode *i, uint64_t size)
{
    struct ramfs_file *f = vm_object_private(i->object);
    int err;

    if (size < f->archive_size)
        f->archive_size = (uint32_t)size;
    err = vm_object_resize(i->object, size);
    charge_pages(f, vm_object_pages(i->object));
    return err;
}

static void ramfs_file_destroy(struct inode *i)
{
    struct ramfs_file *f = vm_object_private(i->object);

    spin_lock(&ramfs_lock);
    f->inode = NULL;
    spin_unlock(&ramfs_lock);
}

static int ramfs_readlink(struct inode *i, char *buf, size_t size)
{
    const char *target = i->private;
    size_t n = strnlen(target, size);

    memcpy(buf, target, n);
    return (int)n;
}

static void ramfs_link_destroy(struct inode *i)
{
    kmfree(i->private);
}

static const struct inode_ops ramfs_dir_ops = {
    .create = ramfs_create,
    .mkdir = ramfs_mkdir,
    .mknod = ramfs_mknod,
    .symlink = ramfs_symlink,
    .link = ramfs_link,
    .unlink = ramfs_unlink,
    .rmdir = ramfs_rmdir,
    .rename = ramfs_rename,
};

static const struct inode_ops ramfs_file_ops = {
    .truncate = ramfs_truncate,
    .destroy = ramfs_file_destroy,
};

static const struct inode_ops ramfs_link_ops = {
    .readlink = ramfs_readlink,
    .destroy = ramfs_link_destroy,
};

static const struct inode_ops ramfs_special_ops = {};

/* ---- Mounting ------------------------------------------------------------------------------- */

bool mount_option(const char *data, const char *name, const char **value, size_t *len)
{
    size_t n = strlen(name);

    while (data && *data) {
        const char *end = strchr(data, ',');
        size_t total = end ? (size_t)(end - data) : strlen(data);

        if (total >= n && memcmp(data, name, n) == 0 && (total == n || data[n] == '=')) {
            *value = total == n ? data + n : data + n + 1;
            *len = total == n ? 0 : total - n - 1;
            return true;
        }
        data = end ? end + 1 : NULL;
    }
    return false;
}

int ramfs_mount_root(struct superblock *sb, uint32_t mode)
{
    struct ramfs_super *s = kzalloc(sizeof(*s));
    struct inode *root;

    if (!s)
        return -ENOMEM;
    s->refs = 1;
    sb->private = s;
    root = ramfs_inode(sb, S_IFDIR | mode, 0);
    sb->root = root ? dentry_root(sb, root) : NULL;
    if (!sb->root) {
        if (root)
            inode_unref(root);
        kmfree(s);
        return -ENOMEM;
    }
    return 0;
}

void ramfs_unmount(struct superblock *sb)
{
    super_put(sb->private);
}

static bool parse_number(const char *s, size_t len, int base, uint64_t *out)
{
    uint64_t v = 0;

    if (len == 0)
        return false;
    for (; len > 0; len--, s++) {
        if (!isdigit(*s) || *s - '0' >= base || v > UINT32_MAX)
            return false;
        v = v * (uint32_t)base + (uint32_t)(*s - '0');
    }
    *out = v;
    return true;
}

/* size=N[k|m|g|%] into pages; 0 is no limit. */
static bool parse_size(const char *s, size_t len, uint32_t *pages)
{
    unsigned shift = 0;
    uint64_t v;

    if (len > 0 && s[len - 1] == '%') {
        struct mem_stats m;

        mm_stats(&m);
        if (!parse_number(s, len - 1, 10, &v) || v > 1000)
            return false;
        *pages = (uint32_t)(v * m.total / 100);
        return true;
    }
    if (len > 0 && !isdigit(s[len - 1])) {
        const char *unit = strchr("kmg", tolower(s[--len]));

        if (!unit || !*unit)
            return false;
        shift = tolower(s[len]) == 'k' ? 10 : tolower(s[len]) == 'm' ? 20 : 30;
    }
    if (!parse_number(s, len, 10, &v))
        return false;
    v = ((v << shift) + PAGE_SIZE - 1) >> PAGE_SHIFT;
    *pages = v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
    return true;
}

static int tmpfs_number(const char *data, const char *name, int base, uint32_t *out)
{
    const char *value;
    size_t len;
    uint64_t v;

    if (!mount_option(data, name, &value, &len))
        return 0;
    if (!parse_number(value, len, base, &v) || v > UINT32_MAX)
        return -EINVAL;
    *out = (uint32_t)v;
    return 0;
}

static int ramfs_mount(struct superblock *sb, const char *source, const char *data)
{
    uint32_t mode = 0755;
    int err = tmpfs_number(data, "mode", 8, &mode);

    (void)source;
    return err ? err : ramfs_mount_root(sb, mode & 07777);
}

static int tmpfs_mount(struct superblock *sb, const char *source, const char *data)
{
    uint32_t mode = 01777, uid = 0, gid = 0, pages;
    const char *value;
    struct mem_stats m;
    size_t len;
    int err;

    (void)source;
    mm_stats(&m);
    pages = m.total / 2;
    if (mount_option(data, "size", &value, &len) && !parse_size(value, len, &pages))
        return -EINVAL;
    err = tmpfs_number(data, "mode", 8, &mode);
    if (!err)
        err = tmpfs_number(data, "uid", 10, &uid);
    if (!err)
        err = tmpfs_number(data, "gid", 10, &gid);
    if (!err)
        err = ramfs_mount_root(sb, mode & 07777);
    if (err)
        return err;
    sb->root->inode->uid = uid;
    sb->root->inode->gid = gid;
    ((struct ramfs_super *)sb->private)->max_pages = pages;
    return 0;
}

static void ramfs_statfs(struct superblock *sb, struct kstatfs *out)
{
    struct ramfs_super *s = sb->private;

    memset(out, 0, sizeof(*out));
    out->type = s->max_pages ? TMPFS_MAGIC : RAMFS_MAGIC;
    out->bsize = PAGE_SIZE;
    out->namelen = NAME_MAX;
    out->blocks = s->max_pages;
    if (s->max_pages > s->used_pages)
        out->bfree = out->bavail = s->max_pages - s->used_pages;
}

static struct fs_type rootfs_type = {
    .name = "rootfs",
    .nodev = true,
    .mount = ramfs_mount,
    .unmount = ramfs_unmount,
    .statfs = ramfs_statfs,
};

static struct fs_type tmpfs_type = {
    .name = "tmpfs",
    .nodev = true,
    .mount = tmpfs_mount,
    .unmount = ramfs_unmount,
    .statfs = ramfs_statfs,
};

static struct fs_type ramfs_type = {
    .name = "ramfs",
    .nodev = true,
    .mount = ramfs_mount,
    .unmount = ramfs_unmount,
    .statfs = ramfs_statfs,
};

void ramfs_init(void)
{
    fs_register(&rootfs_type);
    fs_register(&tmpfs_type);
    fs_register(&ramfs_type);
}
