/*
 * ISO 9660 as a whole: mounting, and what the volume says of itself.
 *
 * Volume descriptors lie in the blocks from the 16th on. The primary one has the names of ISO 9660,
 * which Rock Ridge adds to; a supplementary one may have Joliet's, with directories of its own.
 */
#include "fs/disk/disk.h"
#include "fs/disk/iso.h"
#include "kernel/base/log.h"
#include "libc/string.h"

#define FIRST_DESCRIPTOR 16u
#define DESCRIPTORS_MAX  100u /* looked at */

#define TYPE_PRIMARY       1
#define TYPE_SUPPLEMENTARY 2
#define TYPE_END           255

/* Offsets in a descriptor. */
#define AT_BLOCKS     80
#define AT_ESCAPES    88
#define AT_BLOCK_SIZE 128
#define AT_ROOT       156

/* ---- Volume descriptors ---- */

static bool is_joliet(const uint8_t *d)
{
    const uint8_t *e = d + AT_ESCAPES;

    return e[0] == '%' && e[1] == '/' && (e[2] == '@' || e[2] == 'C' || e[2] == 'E');
}

static struct iso_place root_of(const uint8_t *d)
{
    const struct iso_raw_record *r = (const struct iso_raw_record *)(d + AT_ROOT);

    return (struct iso_place){load_le32(r->extent) + r->attributes, 0};
}

static void take_primary(struct iso_super *s, const uint8_t *d)
{
    s->root = root_of(d);
    s->volume_blocks = load_le32(d + AT_BLOCKS);
}

/* Reads them into d, room for one. primary, joliet: whether there is one; Joliet's root. */
static int read_descriptors(struct iso_super *s, uint8_t *d, bool *primary, bool *joliet,
                            struct iso_place *joliet_root)
{
    for (uint32_t n = 0; n < DESCRIPTORS_MAX && FIRST_DESCRIPTOR + n < s->blocks; n++) {
        int err = iso_read(s, (struct iso_place){FIRST_DESCRIPTOR + n, 0}, d, ISO_BLOCK);

        if (err)
            return err;
        if (memcmp(d + 1, "CD001", 5) != 0 || d[0] == TYPE_END)
            break;
        if (d[0] == TYPE_PRIMARY && !*primary && load_le16(d + AT_BLOCK_SIZE) == ISO_BLOCK) {
            take_primary(s, d);
            *primary = true;
        } else if (d[0] == TYPE_SUPPLEMENTARY && !*joliet && is_joliet(d)) {
            *joliet_root = root_of(d);
            *joliet = true;
        }
    }
    return *primary ? 0 : -EINVAL;
}

/* Rock Ridge's names if there are any, else Joliet's. */
static int choose_names(struct iso_super *s, const char *data)
{
    bool primary = false, joliet = false;
    struct iso_place joliet_root;
    uint8_t *d = kalloc();
    int err = d ? read_descriptors(s, d, &primary, &joliet, &joliet_root) : -ENOMEM;

    if (d)
        kfree(d);
    if (err)
        return err;
    if (!mount_has_option(data, "norock") && iso_rock_is_used(s)) {
        s->names = ISO_ROCK;
    } else if (joliet && !mount_has_option(data, "nojoliet")) {
        s->names = ISO_JOLIET;
        s->root = joliet_root;
    }
    return 0;
}

/* ---- Mounting ---- */

static int load(struct iso_super *s, const char *source, const char *data)
{
    uint64_t blocks;
    int err = disk_claim(source, false, s, &s->dev);

    if (err)
        return err;
    s->sb->dev = s->dev->number;
    s->sb->block = ISO_BLOCK;
    blocks = block_bytes(s->dev) >> ISO_BLOCK_SHIFT;
    s->blocks = blocks < UINT32_MAX ? (uint32_t)blocks : UINT32_MAX;
    if (s->dev->block_size > ISO_BLOCK)
        return -EINVAL;
    s->cache = block_object(s->dev);
    err = s->cache ? choose_names(s, data) : -ENOMEM;
    /* Only now, so that another type may be tried on a disk which is none of these. */
    if (!err && !(s->sb->flags & MS_RDONLY))
        err = -EACCES;
    return err;
}

static void free_super(struct iso_super *s)
{
    if (s->dev)
        disk_release(s->dev, s);
    kmfree(s);
}

static int open_root(struct superblock *sb)
{
    struct iso_super *s = sb->private;
    struct inode *root;
    int err = iso_iget(sb, s->root, true, &root);

    if (err)
        return err;
    sb->root = S_ISDIR(root->mode) ? dentry_root(sb, root) : NULL;
    if (sb->root)
        return 0;
    err = S_ISDIR(root->mode) ? -ENOMEM : -EINVAL;
    inode_unref(root);
    return err;
}

static int iso_mount(struct superblock *sb, const char *source, const char *data)
{
    static const char *const known[] = {"norock", "nojoliet", "utf8", NULL};
    struct iso_super *s;
    int err;

    if (!mount_options_are(data, known))
        return -EINVAL;
    s = kzalloc(sizeof(*s));
    if (!s)
        return -ENOMEM;
    sb->private = s;
    s->sb = sb;
    mutex_init(&s->cached, MUTEX_RANK_CACHED);
    for (unsigned b = 0; b < ISO_BUCKETS; b++)
        list_init(&s->buckets[b]);
    err = load(s, source, data);
    if (!err)
        err = open_root(sb);
    if (err)
        free_super(s);
    return err;
}

static void iso_unmount(struct superblock *sb)
{
    struct iso_super *s = sb->private;

    vm_object_drop(s->cache);
    free_super(s);
}

static int iso_remount(struct superblock *sb, uint32_t flags, const char *data)
{
    (void)data;
    (void)sb;
    return flags & MS_RDONLY ? 0 : -EROFS;
}

static bool iso_busy(struct superblock *sb)
{
    return iso_nodes_busy(sb->private);
}

static void iso_statfs(struct superblock *sb, struct kstatfs *out)
{
    const struct iso_super *s = sb->private;

    *out = (struct kstatfs){
        .type = ISO_MAGIC, .bsize = ISO_BLOCK, .blocks = s->volume_blocks, .namelen = NAME_MAX};
}

static void iso_options(struct superblock *sb, char *buf, size_t size)
{
    static const char *const text[] = {",norock,nojoliet", ",norock,utf8", ",nojoliet"};
    const struct iso_super *s = sb->private;

    strlcpy(buf, text[s->names], size);
}

static struct fs_type iso_type = {
    .name = "iso9660",
    .cache_names = true,
    .device = disk_number,
    .mount = iso_mount,
    .unmount = iso_unmount,
    .statfs = iso_statfs,
    .remount = iso_remount,
    .busy = iso_busy,
    .options = iso_options,
};

void iso_init(void)
{
    iso_inode_init();
    fs_register(&iso_type);
}
