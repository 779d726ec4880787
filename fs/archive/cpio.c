/*
 * The root file system from a boot archive in memory: newc cpio (070701, 070702), as Linux's
 * initramfs takes it. The archive is indexed, not unpacked: each entry becomes a name and an
 * inode (later.c: not before somebody asks), and a file's pages are filled from the archive when
 * they are first touched.
 *
 * An image is any number of archives one after the other, with zeros between them, each plain or
 * gzip'd; a later entry overrides an earlier one of the same name, and so does a later image.
 * Nothing in it is trusted. As on Linux what can be had is had: an entry that does not fit is
 * skipped, and what follows a place where none can be found; each gives one line in the log.
 */
#include "fs/archive/cpio.h"
#include "fs/ram/ramfs.h"
#include "kernel/base/boot.h"
#include "kernel/base/log.h"
#include "libc/errno.h"
#include "libc/string.h"

/* ---- Directories ---- */

/* The name in dir, of whose names none wait any more; a reference, or NULL. */
static struct dentry *find(struct loader *l, struct dentry *dir, const char *name, uint32_t len,
                           int *err)
{
    l->run = NULL;
    *err = cpio_fill(dir);
    return *err ? NULL : dentry_find(dir, name, len);
}

static struct dentry *walk(struct loader *l, struct dentry *dir, const char *path, uint32_t len,
                           int *err);

/* The directory a symbolic link in dir points to. A reference. */
static struct dentry *follow_link(struct loader *l, struct dentry *dir, struct inode *link,
                                  int *err)
{
    char *target = kalloc();
    struct dentry *d = NULL;
    int len;

    *err = -ENOMEM;
    if (!target)
        return NULL;
    len = link->ops->readlink(link, target, PAGE_SIZE);
    if (l->depth++ >= LINK_DEPTH || len <= 0)
        *err = cpio_bad_entry(l, "too many symbolic links in the way to it");
    else
        d = walk(l, target[0] == '/' ? l->root : dir, target, (uint32_t)len, err);
    kfree(target);
    return d;
}

/* One component. */
static int check_name(const struct loader *l, const char *name, uint32_t len)
{
    if (len > NAME_MAX)
        return cpio_bad_entry(l, "file name too long");
    if (len == 2 && name[0] == '.' && name[1] == '.')
        return cpio_bad_entry(l, "file name with \"..\"");
    if (memchr(name, '\0', len))
        return cpio_bad_entry(l, "file name with a zero byte");
    return 0;
}

static struct dentry *make_directory(struct loader *l, struct dentry *dir, const char *name,
                                     uint32_t len)
{
    struct inode *i = ramfs_inode(l->root->inode->sb, S_IFDIR | 0755, 0);
    struct dentry *d = i ? ramfs_attach(dir, name, len, i) : NULL;

    if (d)
        dentry_ref(d);
    return d;
}

/* One step of a walk; makes the directory when it is missing. A reference. */
static struct dentry *step(struct loader *l, struct dentry *dir, const char *name, uint32_t len,
                           int *err)
{
    struct dentry *d, *to;

    *err = check_name(l, name, len);
    d = *err ? NULL : find(l, dir, name, len, err);
    if (*err)
        return NULL;
    if (!d) {
        *err = -ENOMEM;
        return make_directory(l, dir, name, len);
    }
    if (d->inode && S_ISDIR(d->inode->mode))
        return d;
    if (d->inode && S_ISLNK(d->inode->mode))
        to = follow_link(l, dir, d->inode, err);
    else {
        to = NULL;
        *err = cpio_bad_entry(l, "an entry below something that is no directory");
    }
    dentry_unref(d);
    return to;
}

/* The directory at path below dir, made where it is missing. A reference, or NULL with *err. */
static struct dentry *walk(struct loader *l, struct dentry *dir, const char *path, uint32_t len,
                           int *err)
{
    dentry_ref(dir);
    while (dir && len > 0) {
        const char *slash = memchr(path, '/', len);
        uint32_t n = slash ? (uint32_t)(slash - path) : len;

        if (n > 0 && !(n == 1 && *path == '.')) {
            struct dentry *next = step(l, dir, path, n, err);

            dentry_unref(dir);
            dir = next;
        }
        n += slash != NULL;
        path += n;
        len -= n;
    }
    return dir;
}

static void forget_parent(struct loader *l)
{
    if (l->dir)
        dentry_unref(l->dir);
    l->dir = NULL;
}

/* The entry's directory (borrowed: l->dir keeps it); cuts e->name down to its last component. */
static struct dentry *parent(struct loader *l, struct cpio_entry *e, int *err)
{
    const char *path = e->name;
    uint32_t len = cpio_cut_name(e);
    struct dentry *d;

    if (!l->dir || len != l->dir_len || memcmp(path, l->dir_path, len) != 0) {
        l->depth = 0;
        d = walk(l, l->root, path, len, err);
        if (!d)
            return NULL;
        forget_parent(l);
        l->dir = d;
        l->dir_len = len < sizeof(l->dir_path) ? len : UINT32_MAX;
        if (len < sizeof(l->dir_path))
            memcpy(l->dir_path, path, len);
    }
    return l->dir;
}

/* ---- Hard links ---- */

static struct link **link_bucket(struct loader *l, const struct cpio_entry *e)
{
    return &l->links[(e->ino ^ e->dev_minor) % LINK_HASH];
}

static struct inode *link_find(struct loader *l, const struct cpio_entry *e)
{
    for (struct link *k = *link_bucket(l, e); k; k = k->next)
        if (k->ino == e->ino && k->dev_major == e->dev_major && k->dev_minor == e->dev_minor &&
            ((k->inode->mode ^ e->mode) & S_IFMT) == 0)
            return k->inode;
    return NULL;
}

static int link_remember(struct loader *l, const struct cpio_entry *e, struct inode *i)
{
    struct link *k = kmalloc(sizeof(*k)), **bucket = link_bucket(l, e);

    if (!k)
        return -ENOMEM;
    inode_ref(i);
    *k = (struct link){*bucket, i, e->ino, e->dev_major, e->dev_minor};
    *bucket = k;
    return 0;
}

static void links_forget(struct loader *l)
{
    for (unsigned b = 0; b < LINK_HASH; b++) {
        while (l->links[b]) {
            struct link *k = l->links[b];

            l->links[b] = k->next;
            inode_unref(k->inode);
            kmfree(k);
        }
    }
}

/* ---- Entries ---- */

static void set_attributes(struct inode *i, const struct cpio_entry *e)
{
    struct timestamp t = {e->mtime, 0};

    i->mode = (i->mode & S_IFMT) | (S_ISLNK(i->mode) ? 0777 : e->mode & 07777);
    i->uid = e->uid;
    i->gid = e->gid;
    i->atime = i->mtime = i->ctime = t;
}

static struct inode *new_inode(struct loader *l, const struct cpio_entry *e)
{
    struct superblock *sb = l->root->inode->sb;

    if (S_ISLNK(e->mode)) {
        const char *target = (const char *)archive_view(l->src, e->data, e->size, l->target_buf);
        struct inode *i = inode_bare(sb, e->mode);
        size_t len = strnlen(target, e->size);

        return target == l->target_buf ? ramfs_make_link(i, target, len)
                                       : ramfs_make_archive_link(i, target, len);
    }
    return ramfs_make(inode_bare(sb, e->mode & (S_IFMT | 07777)),
                      MKDEV(e->rdev_major, e->rdev_minor));
}

static int check_entry(struct loader *l, const struct cpio_entry *e)
{
    if (S_ISLNK(e->mode) && (e->size == 0 || e->size >= PATH_MAX))
        return cpio_bad_entry(l, "bad length of a symbolic link");
    if (!S_ISREG(e->mode) && !S_ISDIR(e->mode) && !S_ISLNK(e->mode) && !S_ISCHR(e->mode) &&
        !S_ISBLK(e->mode) && !S_ISFIFO(e->mode) && (e->mode & S_IFMT) != S_IFSOCK)
        return cpio_bad_entry(l, "unknown type of file");
    return check_name(l, e->name, e->name_len);
}

/* Takes the name away from what has it already (which the remembered directory may be). */
static int override(struct loader *l, struct dentry *dir, struct dentry *old)
{
    const struct inode_ops *ops = dir->inode->ops;
    int err;

    if (S_ISDIR(old->inode->mode)) {
        err = ops->rmdir(dir->inode, old);
        if (err)
            return cpio_bad_entry(l, "a file in the place of a directory that is not empty");
    } else {
        ops->unlink(dir->inode, old);
    }
    dentry_drop(old);
    forget_parent(l);
    return 0;
}

static int set_contents(struct loader *l, const struct cpio_entry *e, struct inode *i)
{
    if (!S_ISREG(i->mode))
        return 0;
    return ramfs_set_contents(i, l->src, e->data, e->size) ? -ENOMEM : 0;
}

/* The entry is one more name of an inode that is there. */
static int add_link(struct loader *l, const struct cpio_entry *e, struct dentry *dir,
                    struct inode *i)
{
    inode_ref(i);
    i->nlink++;
    if (!ramfs_attach(dir, e->name, e->name_len, i))
        return -ENOMEM;
    set_attributes(i, e);
    return e->size ? set_contents(l, e, i) : 0;
}

static int add_new(struct loader *l, const struct cpio_entry *e, struct dentry *dir)
{
    struct inode *i = new_inode(l, e);
    int err;

    if (!i || !ramfs_attach(dir, e->name, e->name_len, i))
        return -ENOMEM;
    set_attributes(i, e);
    err = e->size ? set_contents(l, e, i) : 0;
    if (!err && e->nlink > 1 && !S_ISDIR(e->mode))
        err = link_remember(l, e, i);
    return err;
}

/* What is there already takes the entry's attributes and contents: directories and files do. */
static bool updates(const struct cpio_entry *e, const struct inode *old, const struct inode *linked)
{
    if (old == linked)
        return true;
    return ((old->mode ^ e->mode) & S_IFMT) == 0 &&
           (S_ISDIR(e->mode) || (S_ISREG(e->mode) && !linked));
}

static int update(struct loader *l, const struct cpio_entry *e, struct inode *i, bool linked)
{
    set_attributes(i, e);
    return linked && e->size == 0 ? 0 : set_contents(l, e, i);
}

/* In the place of old (consumed), which may be NULL. */
static int add_over(struct loader *l, const struct cpio_entry *e, struct dentry *dir,
                    struct dentry *old)
{
    bool can_link = e->nlink > 1 && !S_ISDIR(e->mode);
    struct inode *linked = can_link ? link_find(l, e) : NULL;
    int err = 0;

    if (old && updates(e, old->inode, linked)) {
        err = update(l, e, old->inode, linked != NULL);
        dentry_unref(old);
        return err;
    }
    if (old) {
        err = override(l, dir, old);
        dentry_unref(old);
    }
    if (err)
        return err;
    return linked ? add_link(l, e, dir, linked) : add_new(l, e, dir);
}

int cpio_add_named(struct loader *l, const struct cpio_entry *e, struct dentry *dir)
{
    return add_over(l, e, dir, dentry_find(dir, e->name, e->name_len));
}

static int add_now(struct loader *l, const struct cpio_entry *e, struct dentry *dir)
{
    int err;
    struct dentry *old = find(l, dir, e->name, e->name_len, &err);

    return err ? err : add_over(l, e, dir, old);
}

static int add_entry(struct loader *l, struct cpio_entry *e)
{
    int err = 0;
    struct dentry *dir = parent(l, e, &err);

    if (!dir)
        return err;
    if (e->name_len == 0 || (e->name_len == 1 && e->name[0] == '.'))
        set_attributes(dir->inode, e);
    else if (!(err = check_entry(l, e)) && !cpio_put_off(l, e, dir))
        err = add_now(l, e, dir);
    l->entries += !err;
    return err;
}

static bool is_trailer(const struct cpio_entry *e)
{
    return e->name_len == 10 && memcmp(e->name, "TRAILER!!!", 10) == 0;
}

/* From pos to the trailer. */
static int load_entries(struct loader *l)
{
    memset(l->last_halves, 0, sizeof(l->last_halves));
    while (l->pos < l->src->size) {
        int err = cpio_read_entry(l);

        if (!err && is_trailer(&l->at)) {
            links_forget(l);
            return 0;
        }
        if (err)
            return err;
        if (add_entry(l, &l->at) == -ENOMEM)
            return -ENOMEM;
    }
    klog(LOG_WARN, "initrd: the archive ends without TRAILER!!!\n");
    links_forget(l);
    return 0;
}

/* ---- The image ---- */

static int load_image(struct loader *l);

/* The gzip member at pos: unpacked, it is an image of its own. Only the boot module holds them. */
static int load_gzip(struct loader *l)
{
    const struct archive *outer = l->src;
    struct archive *inner = kzalloc(sizeof(*inner));
    const char *why;
    uint32_t used;
    int broken, err;

    if (!inner)
        return -ENOMEM;
    broken = gunzip(outer->base + l->pos, outer->size - l->pos, inner, &used, &why);
    if (broken) {
        klog(LOG_ERR, "initrd: broken gzip data at offset %u: %s; %u bytes unpacked before\n",
             l->pos, why, inner->size);
        if (broken == -ENOMEM || !inner->size) {
            archive_free(inner);
            kmfree(inner);
            return broken;
        }
    }
    used += l->pos;
    l->src = inner;
    l->pos = 0;
    err = load_image(l);
    l->src = outer;
    l->pos = used;
    return err == -ENOMEM || !broken ? err : broken;
}

/* The next byte that is not zero; the padding is long after an archive of 512-byte blocks. */
static void skip_zeros(struct loader *l)
{
    static const uint8_t zeros[64];

    while (l->pos < l->src->size) {
        uint32_t n = l->src->size - l->pos < sizeof(zeros) ? 1 : sizeof(zeros);
        uint8_t scratch[sizeof(zeros)];

        if (memcmp(archive_view(l->src, l->pos, n, scratch), zeros, n) == 0)
            l->pos += n;
        else if (*archive_view(l->src, l->pos, 1, scratch) == 0)
            l->pos++;
        else
            return;
    }
}

/* By its first bytes, what the data at pos is compressed with that is not decoded here, so that
 * whoever packed it knows what to change; or that it is nothing known. */
static const char *unknown_data(const struct loader *l)
{
    static const struct {
        const char *magic, *what;
        uint32_t length;
    } kinds[] = {
        {"\xfd\x37\x7a\x58\x5a", "compressed with xz, and only gzip is decoded", 6},
        {"\x28\xb5\x2f\xfd", "compressed with zstd, and only gzip is decoded", 4},
        {"\x02\x21\x4c\x18", "compressed with lz4, and only gzip is decoded", 4},
        {"\x89LZO", "compressed with lzo, and only gzip is decoded", 4},
        {"BZh", "compressed with bzip2, and only gzip is decoded", 3},
        {"\x5d\0\0", "compressed with lzma, and only gzip is decoded", 3},
    };
    uint32_t left = l->src->size - l->pos;

    for (uint32_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        uint32_t n = kinds[i].length;
        uint8_t scratch[8];

        if (n <= left && memcmp(archive_view(l->src, l->pos, n, scratch), kinds[i].magic, n) == 0)
            return kinds[i].what;
    }
    return "neither a newc cpio archive nor gzip data";
}

static int load_image(struct loader *l)
{
    int err = 0;

    while (!err && l->pos < l->src->size) {
        uint32_t left = l->src->size - l->pos;
        uint8_t scratch[2];
        const uint8_t *p = archive_view(l->src, l->pos, left < 2 ? left : 2, scratch);

        l->entry = l->pos;
        if (p[0] == 0)
            skip_zeros(l);
        else if (p[0] == '0' && l->pos % 4 == 0)
            err = load_entries(l);
        else if (l->src->base && left >= 2 && p[0] == 0x1f && p[1] == 0x8b)
            err = load_gzip(l);
        else
            err = cpio_bad(l, unknown_data(l));
    }
    return err;
}

/* What Linux's built-in archive holds. */
static int load_defaults(struct dentry *root)
{
    struct superblock *sb = root->inode->sb;
    struct inode *dev = ramfs_inode(sb, S_IFDIR | 0755, 0);
    struct inode *home = ramfs_inode(sb, S_IFDIR | 0700, 0);
    struct inode *console = ramfs_inode(sb, S_IFCHR | 0600, MKDEV(5, 1));
    struct dentry *d;

    if (!dev || !home || !console)
        return -ENOMEM;
    d = ramfs_attach(root, "dev", 3, dev);
    if (!d || !ramfs_attach(d, "console", 7, console) || !ramfs_attach(root, "root", 4, home))
        return -ENOMEM;
    return 0;
}

/* One image: what is wrong with it has been said. 0 or -ENOMEM */
static int load_module(struct loader *l, const struct boot_archive *from)
{
    struct archive *module = kzalloc(sizeof(*module)); /* files read from it for ever */
    int err;

    if (!module)
        return -ENOMEM;
    module->base = from->data;
    module->size = from->size;
    l->src = module;
    l->pos = 0;
    err = load_image(l);
    links_forget(l);
    return err == -ENOMEM ? err : 0;
}

struct loader *cpio_loader_new(struct dentry *root)
{
    struct loader *l = kzalloc(sizeof(*l));

    if (l && (l->name_buf = kalloc()) && (l->target_buf = kalloc())) {
        l->root = root;
        return l;
    }
    cpio_loader_free(l);
    return NULL;
}

void cpio_loader_free(struct loader *l)
{
    if (l)
        forget_parent(l);
    if (l && l->name_buf)
        kfree(l->name_buf);
    if (l && l->target_buf)
        kfree(l->target_buf);
    kmfree(l);
}

/* -EINVAL: there is nothing in them. After an error the caller halts: what was made is left. */
int cpio_load(struct dentry *root, const struct boot_archive *archives, unsigned count)
{
    struct loader *l = cpio_loader_new(root);
    int err = l ? load_defaults(root) : -ENOMEM;

    for (unsigned i = 0; i < count && !err; i++)
        err = load_module(l, &archives[i]);
    if (err)
        klog(LOG_ERR, "initrd: not enough memory for what is in it\n");
    else if (l->entries == 0) {
        klog(LOG_ERR, "initrd: the archive is empty\n");
        err = -EINVAL;
    }
    cpio_loader_free(l);
    return err;
}
