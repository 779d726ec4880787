/*
 * The types of in-memory file systems, and their mount options: rootfs (what the boot archive is
 * put into), tmpfs and ramfs. They differ in their limits alone.
 */
#include "fs/ram/ramfs.h"
#include "libc/ctype.h"
#include "libc/errno.h"
#include "libc/printf.h"
#include "libc/string.h"

/* ---- Mounting ---- */

int ramfs_mount_root(struct superblock *sb, uint32_t mode, uint32_t max_pages, uint32_t max_inodes)
{
    struct ramfs_super *s = kzalloc(sizeof(*s));
    struct inode *root;

    if (!s)
        return -ENOMEM;
    s->refs = 1;
    s->max_pages = max_pages;
    s->max_inodes = max_inodes;
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
    ramfs_super_put(sb->private);
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

/* N[k|m|g], as the kernel of Linux reads sizes. */
static bool parse_units(const char *s, size_t len, uint64_t *out)
{
    unsigned shift = 0;

    if (len > 0 && !isdigit(s[len - 1])) {
        const char *unit = strchr("kmg", tolower(s[--len]));

        if (!unit || !*unit)
            return false;
        shift = tolower(s[len]) == 'k' ? 10 : tolower(s[len]) == 'm' ? 20 : 30;
    }
    if (!parse_number(s, len, 10, out))
        return false;
    *out <<= shift;
    return true;
}

static uint32_t saturated(uint64_t v)
{
    return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

/* size=N[k|m|g|%] into pages; 0 is no limit. */
static bool parse_size(const char *s, size_t len, uint32_t *pages)
{
    uint64_t v;

    if (len > 0 && s[len - 1] == '%') {
        struct mem_stats m;

        mm_stats(&m);
        if (!parse_number(s, len - 1, 10, &v) || v > 1000)
            return false;
        *pages = (uint32_t)(v * m.total / 100);
        return true;
    }
    if (!parse_units(s, len, &v))
        return false;
    *pages = saturated((v + PAGE_SIZE - 1) >> PAGE_SHIFT);
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

/* What tmpfs and the root may grow to when nobody says otherwise. */
uint32_t ramfs_default_limit(void)
{
    struct mem_stats m;

    mm_stats(&m);
    return m.total / 2;
}

static int rootfs_mount(struct superblock *sb, const char *source, const char *data)
{
    (void)source, (void)data;
    return ramfs_mount_root(sb, 0755, ramfs_default_limit(), ramfs_default_limit());
}

static int ramfs_mount(struct superblock *sb, const char *source, const char *data)
{
    uint32_t mode = 0755;
    int err = tmpfs_number(data, "mode", 8, &mode);

    (void)source;
    return err ? err : ramfs_mount_root(sb, mode & 07777, 0, 0);
}

/* What a mount of tmpfs is asked for. */
struct tmpfs_wish {
    uint32_t mode, uid, gid, pages, inodes;
    bool pages_given, inodes_given;
};

/* N[k|m|g] of what the limit counts; 0 is no limit. */
static int tmpfs_limit(const char *data, const char *name, uint32_t *out, bool *given)
{
    const char *value;
    size_t len;
    uint64_t v;

    if (!mount_option(data, name, &value, &len))
        return 0;
    if (!parse_units(value, len, &v))
        return -EINVAL;
    *out = saturated(v);
    *given = true;
    return 0;
}

static const char *const tmpfs_known[] = {"size", "nr_blocks", "nr_inodes", "mode", "uid",
                                          "gid",  "huge",      "inode32",   "ro",   "rw",
                                          "sync", "async",     "dirsync",   NULL};

static int tmpfs_parse(const char *data, struct tmpfs_wish *w)
{
    const char *value;
    size_t len;
    int err = mount_option_names_are(data, tmpfs_known) ? 0 : -EINVAL;

    if (!err)
        err = tmpfs_limit(data, "nr_blocks", &w->pages, &w->pages_given);
    if (!err && mount_option(data, "size", &value, &len)) {
        w->pages_given = true;
        err = parse_size(value, len, &w->pages) ? 0 : -EINVAL;
    }
    if (!err)
        err = tmpfs_number(data, "mode", 8, &w->mode);
    if (!err)
        err = tmpfs_number(data, "uid", 10, &w->uid);
    if (!err)
        err = tmpfs_number(data, "gid", 10, &w->gid);
    return err ? err : tmpfs_limit(data, "nr_inodes", &w->inodes, &w->inodes_given);
}

static int tmpfs_check(const char *option)
{
    struct tmpfs_wish w;

    return tmpfs_parse(option, &w);
}

static int tmpfs_mount(struct superblock *sb, const char *source, const char *data)
{
    struct tmpfs_wish w = {
        .mode = 01777, .pages = ramfs_default_limit(), .inodes = ramfs_default_limit()};
    struct ramfs_super *s;
    int err = tmpfs_parse(data, &w);

    (void)source;
    if (!err)
        err = ramfs_mount_root(sb, w.mode & 07777, w.pages, w.inodes);
    if (err)
        return err;
    sb->root->inode->uid = w.uid;
    sb->root->inode->gid = w.gid;
    s = sb->private;
    s->limit_given = w.pages_given;
    s->inodes_given = w.inodes_given;
    return 0;
}

static int tmpfs_remount(struct superblock *sb, uint32_t flags, const char *data)
{
    struct ramfs_super *s = sb->private;
    struct tmpfs_wish w = {.pages = s->max_pages, .inodes = s->max_inodes};
    int err = tmpfs_parse(data, &w);

    (void)flags;
    if (!err)
        err = ramfs_set_limits(s, w.pages, w.inodes);
    if (err)
        return err;
    s->limit_given |= w.pages_given;
    s->inodes_given |= w.inodes_given;
    return 0;
}

static void tmpfs_options(struct superblock *sb, char *buf, size_t size)
{
    const struct ramfs_super *s = sb->private;
    const struct inode *root = sb->root->inode;
    size_t n = 0;

    if (s->limit_given)
        n = (size_t)snprintf(buf, size, ",size=%uk", s->max_pages * (PAGE_SIZE / 1024));
    if (s->inodes_given)
        n += (size_t)snprintf(buf + n, size - n, ",nr_inodes=%u", s->max_inodes);
    if ((root->mode & 07777) != 01777)
        n += (size_t)snprintf(buf + n, size - n, ",mode=%03o", root->mode & 07777);
    if (root->uid)
        n += (size_t)snprintf(buf + n, size - n, ",uid=%u", root->uid);
    if (root->gid)
        snprintf(buf + n, size - n, ",gid=%u", root->gid);
}

void ramfs_statfs(struct superblock *sb, struct kstatfs *out)
{
    struct ramfs_super *s = sb->private;

    memset(out, 0, sizeof(*out));
    out->type = s->max_pages ? TMPFS_MAGIC : RAMFS_MAGIC;
    out->bsize = PAGE_SIZE;
    out->namelen = NAME_MAX;
    out->blocks = s->max_pages;
    if (s->max_pages > s->used_pages)
        out->bfree = out->bavail = s->max_pages - s->used_pages;
    out->files = s->max_inodes;
    if (s->max_inodes > s->used_inodes)
        out->ffree = s->max_inodes - s->used_inodes;
}

static struct fs_type rootfs_type = {
    .name = "rootfs",
    .nodev = true,
    .keeps_flags = true,
    .mount = rootfs_mount,
    .unmount = ramfs_unmount,
    .charge_xattr = ramfs_charge_xattr,
    .keeps_acls = true,
    .statfs = ramfs_statfs,
};

static struct fs_type tmpfs_type = {
    .name = "tmpfs",
    .nodev = true,
    .keeps_flags = true,
    .mount = tmpfs_mount,
    .unmount = ramfs_unmount,
    .remount = tmpfs_remount,
    .known = tmpfs_known,
    .check = tmpfs_check,
    .charge_xattr = ramfs_charge_xattr,
    .keeps_acls = true,
    .statfs = ramfs_statfs,
    .options = tmpfs_options,
};

static struct fs_type ramfs_type = {
    .name = "ramfs",
    .nodev = true,
    .mount = ramfs_mount,
    .unmount = ramfs_unmount,
    .statfs = ramfs_statfs,
};

/* ---- Outside every tree ---- */

static void unnamed_statfs(struct superblock *sb, struct kstatfs *out)
{
    ramfs_statfs(sb, out);
    out->type = TMPFS_MAGIC;
}

static struct fs_type unnamed_type = {
    .name = "tmpfs",
    .nodev = true,
    .keeps_flags = true,
    .charge_xattr = ramfs_charge_xattr,
    .no_user_xattrs = true,
    .keeps_acls = true,
    .statfs = unnamed_statfs,
};
static struct ramfs_super unnamed_super = {.refs = 1};
static struct superblock unnamed_sb = {.type = &unnamed_type,
                                       .dev = MKDEV(0, 1),
                                       .link = LIST_INIT(unnamed_sb.link),
                                       .private = &unnamed_super};

struct inode *ramfs_unnamed(const char *path, uint32_t mode)
{
    struct inode *i = ramfs_inode(&unnamed_sb, mode, 0);

    if (!i)
        return NULL;
    i->nlink = 0;
    if (!ramfs_set_deleted_name(i, path)) {
        inode_unref(i);
        return NULL;
    }
    return i;
}

void ramfs_init(void)
{
    fs_register(&rootfs_type);
    fs_register(&tmpfs_type);
    fs_register(&ramfs_type);
}
