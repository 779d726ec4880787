/*
 * ext2 as a whole: mounting, the super block, committing.
 *
 * The geometry is checked once, here, and held in struct ext2_super; the rest relies on it. While
 * the file system is mounted for writing the disk says that it is not clean.
 *
 * A commit writes the data of all files, then their inodes, then all metadata, to the log first
 * where there is one, and makes the device write what it caches. After it, what was freed before
 * may be used again.
 */
#include "fs/disk/disk.h"
#include "fs/disk/ext2.h"
#include "kernel/base/log.h"
#include "kernel/time/time.h"
#include "libc/string.h"

#define SUPER_AT 1024u

int ext2_super_read(struct ext2_super *s, struct ext2_raw_super *raw)
{
    return ext2_meta_read(s, SUPER_AT >> s->block_shift, SUPER_AT & (s->block_size - 1), raw,
                          sizeof(*raw));
}

int ext2_super_write(struct ext2_super *s, const struct ext2_raw_super *raw)
{
    return ext2_meta_write(s, SUPER_AT >> s->block_shift, SUPER_AT & (s->block_size - 1), raw,
                           sizeof(*raw));
}

uint64_t ext2_max_size(const struct ext2_super *s)
{
    uint64_t p = s->pointers, blocks = EXT2_NDIR + p + p * p + p * p * p;
    uint64_t most = (uint64_t)UINT32_MAX * (SECTOR_SIZE / 2); /* what i_blocks can count */
    uint64_t size = blocks << s->block_shift;

    return size < most ? size : most;
}

/* ---- Mounting ---- */

/* An ext4 has more, but for what its journal has yet to put in its place. */
static uint32_t readable_features(const struct ext2_super *s)
{
    if (!s->is_ext4)
        return EXT2_FEATURE_TYPES;
    return s->no_journal ? EXT4_FEATURES_READ : EXT4_FEATURES_READ & ~EXT3_FEATURE_RECOVER;
}

static int check_features(struct ext2_super *s, const struct ext2_raw_super *raw)
{
    uint32_t unknown = raw->incompat & ~readable_features(s);

    if (s->is_ext4 && unknown == EXT3_FEATURE_RECOVER) {
        klog(LOG_ERR,
             "EXT4-fs (%s): the journal has to be recovered, which cannot be done here: mount with "
             "noload to see what is in its place already\n",
             s->dev->name);
        return -EROFS;
    }
    if (unknown)
        klog(LOG_ERR,
             "%s (%s): error: couldn't mount because of unsupported optional "
             "features (%x)\n",
             ext2_name(s), s->dev->name, unknown);
    return unknown ? -EINVAL : 0;
}

static int read_features(struct ext2_super *s, const struct ext2_raw_super *raw)
{
    s->desc_size = sizeof(struct ext2_raw_group);
    if (raw->rev == 0) {
        s->inode_size = EXT2_RAW_INODE;
        s->first_ino = 11;
        return 0;
    }
    s->inode_size = raw->inode_size;
    s->first_ino = raw->first_ino;
    s->types = raw->incompat & EXT2_FEATURE_TYPES;
    s->attributes = raw->compat & EXT2_FEATURE_ATTRIBUTES;
    s->large = raw->ro_compat & EXT2_FEATURE_LARGE;
    s->only_read = (raw->ro_compat & ~EXT2_FEATURES_WRITE) || (raw->incompat & ~EXT2_FEATURE_TYPES);
    if (s->is_ext4 && (raw->incompat & EXT4_FEATURE_64BIT))
        s->desc_size = raw->desc_size;
    return check_features(s, raw);
}

static bool is_power_of_2(uint32_t n)
{
    return n && !(n & (n - 1));
}

static bool check_sizes(const struct ext2_super *s, const struct ext2_raw_super *raw)
{
    uint32_t bits = s->block_size * 8;
    uint64_t inodes = (uint64_t)s->groups * s->inodes_per_group;

    return is_power_of_2(s->inode_size) && s->inode_size >= EXT2_RAW_INODE &&
           s->inode_size <= s->block_size && s->first_ino >= 11 && s->first_ino < s->inodes &&
           is_power_of_2(s->desc_size) && s->desc_size >= sizeof(struct ext2_raw_group) &&
           s->desc_size <= s->block_size &&
           (s->desc_size == sizeof(struct ext2_raw_group) || !raw->blocks_high) &&
           s->inodes_per_group >= 8 && s->inodes_per_group <= bits && inodes >= s->inodes &&
           raw->log_frag_size == raw->log_block_size && s->first_ino <= s->inodes_per_group;
}

static int check_geometry(struct ext2_super *s, const struct ext2_raw_super *raw)
{
    int err;

    if (raw->magic != EXT2_MAGIC || raw->log_block_size > 2)
        return -EINVAL;
    s->block_shift = 10 + raw->log_block_size;
    s->block_size = 1u << s->block_shift;
    s->pointers = s->block_size / 4;
    s->blocks = raw->blocks;
    s->inodes = raw->inodes;
    s->first_data = raw->first_data;
    s->blocks_per_group = raw->blocks_per_group;
    s->inodes_per_group = raw->inodes_per_group;
    s->reserved = raw->reserved;
    s->resuid = raw->resuid;
    s->state = raw->state;
    if (s->first_data != (s->block_size == 1024) || s->blocks <= s->first_data + 1 ||
        s->blocks_per_group < 8 || s->blocks_per_group > s->block_size * 8 ||
        ((uint64_t)s->blocks << s->block_shift) > block_bytes(s->dev))
        return -EINVAL;
    s->groups = (s->blocks - s->first_data - 1) / s->blocks_per_group + 1;
    err = read_features(s, raw);
    if (err)
        return err;
    if (!check_sizes(s, raw))
        return -EINVAL;
    return s->groups <= (s->blocks - s->first_data - 1) * (s->block_size / s->desc_size) ? 0
                                                                                         : -EINVAL;
}

/* The descriptors are what counts; the super block's sums may be old. */
static int count_free(struct ext2_super *s)
{
    struct ext2_raw_group g;
    int err = 0;

    for (uint32_t n = 0; n < s->groups && !err; n++) {
        err = ext2_group_read(s, n, &g);
        s->free_blocks += g.free_blocks;
        s->free_inodes += g.free_inodes;
        sched_point();
    }
    return err;
}

static int change_super(struct ext2_super *s, bool in_use)
{
    uint32_t now = (uint32_t)(time_real_ns() / NSEC_PER_SEC);
    struct ext2_raw_super raw, old;
    int err = ext2_super_read(s, &raw);

    if (err)
        return err;
    old = raw;
    raw.free_blocks = s->free_blocks;
    raw.free_inodes = s->free_inodes;
    raw.state = in_use ? s->state & (uint16_t)~EXT2_STATE_VALID : s->state;
    if (in_use && !s->marked) {
        raw.mounts++;
        raw.mtime = now;
    }
    if (memcmp(&raw, &old, sizeof(raw)) == 0)
        return 0;
    raw.wtime = now;
    return ext2_super_write(s, &raw);
}

/* [commit] The super block says how much is free, and whether the file system is in use. */
static int update_super(struct ext2_super *s, bool in_use)
{
    struct ext2_operation op;
    int err;

    ext2_begin(s, &op);
    mutex_lock(&s->alloc);
    err = change_super(s, in_use);
    mutex_unlock(&s->alloc);
    ext2_end(s, &op);
    return err;
}

/* [alloc] A revision 0 file system cannot say it. */
static int tell_large(struct ext2_super *s)
{
    struct ext2_raw_super raw;
    int err = ext2_super_read(s, &raw);

    if (err)
        return err;
    raw.ro_compat |= EXT2_FEATURE_LARGE;
    return raw.rev == 0 ? -EFBIG : ext2_super_write(s, &raw);
}

int ext2_super_set_large(struct ext2_super *s)
{
    int err = 0;

    mutex_lock(&s->alloc);
    if (!s->large) {
        err = tell_large(s);
        s->large = !err;
    }
    mutex_unlock(&s->alloc);
    return err;
}

/* ---- Committing ---- */

/* [commit] */
static int commit(struct ext2_super *s, bool data, bool in_use)
{
    int err = ext2_nodes_write(s, data), written = update_super(s, in_use);

    if (!written)
        written = ext2_log_commit(s);
    if (!written)
        written = ext2_log_checkpoint(s);
    if (err || written)
        return err ? err : written;
    mutex_lock(&s->alloc);
    ext2_thaw(s, false);
    mutex_unlock(&s->alloc);
    return 0;
}

int ext2_commit(struct ext2_super *s, bool data)
{
    int err = 0;

    KASSERT(!ext2_is_within(s));
    mutex_lock(&s->commit);
    if (s->marked)
        err = commit(s, data, true);
    mutex_unlock(&s->commit);
    return err;
}

static int ext2_sync(struct superblock *sb)
{
    return ext2_commit(sb->private, true);
}

static int ext2_sync_metadata(struct superblock *sb)
{
    return ext2_commit(sb->private, false);
}

/* Writing begins: the disk says so before anything changes. */
static int mark(struct ext2_super *s)
{
    int err;

    if (s->only_read || s->dev->read_only)
        return -EROFS;
    mutex_lock(&s->commit);
    err = update_super(s, true);
    if (!err)
        err = block_sync(s->dev);
    s->marked = !err;
    if (!err)
        ext2_log_start(s);
    mutex_unlock(&s->commit);
    if (!err)
        flush_start();
    if (!err && !(s->state & EXT2_STATE_VALID))
        klog(LOG_WARN,
             "EXT2-fs (%s): warning: mounting unchecked fs, running e2fsck is "
             "recommended\n",
             s->dev->name);
    return err;
}

static int unmark(struct ext2_super *s)
{
    int err = 0;

    mutex_lock(&s->commit);
    if (s->marked) {
        err = commit(s, true, true);
        if (!err)
            err = ext2_log_stop(s);
        if (!err)
            err = commit(s, false, false);
        s->marked = err != 0;
    }
    mutex_unlock(&s->commit);
    return err;
}

static int ext2_remount(struct superblock *sb, uint32_t flags, const char *data)
{
    struct ext2_super *s = sb->private;
    bool was = sb->flags & MS_RDONLY, wanted = flags & MS_RDONLY;

    (void)data;
    if (was == wanted)
        return 0;
    return wanted ? unmark(s) : mark(s);
}

/* ---- Beginning and end ---- */

static void free_super(struct ext2_super *s)
{
    if (s->block_bits.bits)
        kfree(s->block_bits.bits);
    if (s->inode_bits.bits)
        kfree(s->inode_bits.bits);
    if (s->dev)
        disk_release(s->dev, s);
    kmfree(s);
}

static struct ext2_super *new_super(struct superblock *sb, bool is_ext4, const char *data)
{
    struct ext2_super *s = kzalloc(sizeof(*s));

    if (!s)
        return NULL;
    s->sb = sb;
    s->is_ext4 = is_ext4;
    s->no_journal = mount_has_option(data, "noload") || mount_has_option(data, "norecovery");
    mutex_init(&s->alloc, MUTEX_RANK_ALLOC);
    mutex_init(&s->cached, MUTEX_RANK_CACHED);
    mutex_init(&s->commit, MUTEX_RANK_COMMIT);
    ext2_changes_init(s);
    list_init(&s->frozen);
    list_init(&s->nodes);
    s->block_bits.bits = kalloc_zeroed();
    s->inode_bits.bits = kalloc_zeroed();
    if (s->block_bits.bits && s->inode_bits.bits)
        return s;
    free_super(s);
    return NULL;
}

static int open_root(struct superblock *sb)
{
    struct inode *root;
    int err = ext2_iget(sb, EXT2_ROOT_INO, &root);

    if (err)
        return err;
    if (!S_ISDIR(root->mode)) {
        inode_unref(root);
        return -EINVAL;
    }
    sb->root = dentry_root(sb, root);
    if (!sb->root)
        inode_unref(root);
    return sb->root ? 0 : -ENOMEM;
}

/* After a power cut. A journal that is not known here is one more feature that is not. */
static int recover(struct ext2_super *s, struct ext2_raw_super *raw)
{
    struct ext2_raw_super without = *raw;
    int err;

    without.incompat &= ~EXT3_FEATURE_RECOVER;
    err = check_geometry(s, &without);
    if (err)
        return err;
    err = ext2_replay(s, raw);
    if (!err)
        err = disk_read(s->cache, SUPER_AT, raw, sizeof(*raw));
    return err == -EINVAL ? 0 : err;
}

static int read_geometry(struct ext2_super *s)
{
    struct ext2_raw_super raw;
    int err = disk_read(s->cache, SUPER_AT, &raw, sizeof(raw));

    if (!err && raw.magic == EXT2_MAGIC && (raw.incompat & EXT3_FEATURE_RECOVER) && !s->no_journal)
        err = recover(s, &raw);
    return err ? err : check_geometry(s, &raw);
}

static int load(struct ext2_super *s, const char *source)
{
    bool read_only = s->sb->flags & MS_RDONLY;
    int err = disk_claim(source, !read_only, s, &s->dev);

    if (err)
        return err;
    s->sb->dev = s->dev->number;
    s->cache = block_object(s->dev);
    err = s->cache ? block_sync(s->dev) : -ENOMEM;
    if (!err)
        err = read_geometry(s);
    s->sb->block = s->block_size;
    if (!err)
        err = count_free(s);
    if (err || read_only)
        return err;
    if (!s->only_read)
        return mark(s);
    klog(LOG_WARN, "%s (%s): warning: has features that cannot be written: mounted read-only\n",
         ext2_name(s), s->dev->name);
    s->sb->flags |= MS_RDONLY;
    return 0;
}

static int mount_as(struct superblock *sb, const char *source, const char *data, bool is_ext4)
{
    struct ext2_super *s = new_super(sb, is_ext4, data);
    int err;

    if (!s)
        return -ENOMEM;
    sb->private = s;
    err = load(s, source);
    if (!err)
        err = open_root(sb);
    if (err) {
        (void)unmark(s);
        ext2_nodes_drop(s);
        free_super(s);
    }
    return err;
}

static int ext2_mount(struct superblock *sb, const char *source, const char *data)
{
    return mount_as(sb, source, data, false);
}

static int ext4_mount(struct superblock *sb, const char *source, const char *data)
{
    return mount_as(sb, source, data, true);
}

static void ext2_unmount(struct superblock *sb)
{
    struct ext2_super *s = sb->private;

    if (unmark(s))
        klog(LOG_ERR, "EXT2-fs (%s): error: not everything could be written\n", s->dev->name);
    ext2_nodes_drop(s);
    ext2_thaw(s, true);
    vm_object_forget(s->cache, 0, UINT64_MAX);
    free_super(s);
}

static bool ext2_busy(struct superblock *sb)
{
    return ext2_nodes_busy(sb->private);
}

static bool ext2_written(struct superblock *sb)
{
    return ext2_nodes_written(sb->private);
}

static void ext2_statfs(struct superblock *sb, struct kstatfs *out)
{
    struct ext2_super *s = sb->private;
    uint64_t overhead = 0;

    *out = (struct kstatfs){.type = EXT2_MAGIC, .bsize = s->block_size, .namelen = NAME_MAX};
    overhead = (uint64_t)s->groups *
               (2 + ((uint64_t)s->inodes_per_group * s->inode_size >> s->block_shift));
    overhead += s->lent;
    out->blocks = s->blocks - s->first_data;
    out->blocks -= overhead < out->blocks ? overhead : 0;
    out->bfree = s->free_blocks > s->promised ? s->free_blocks - s->promised : 0;
    out->bavail = out->bfree > s->reserved ? out->bfree - s->reserved : 0;
    out->files = s->inodes;
    out->ffree = s->free_inodes;
}

static struct fs_type ext2_type = {
    .name = "ext2",
    .cache_names = true,
    .keeps_flags = true,
    .narrow_times = true,
    .charge_xattr = ext2_attr_charge,
    .device = disk_number,
    .mount = ext2_mount,
    .unmount = ext2_unmount,
    .statfs = ext2_statfs,
    .sync = ext2_sync,
    .commit = ext2_sync_metadata,
    .remount = ext2_remount,
    .busy = ext2_busy,
    .written = ext2_written,
};

/* The same format with more features. */
static struct fs_type ext4_type;

void ext2_init(void)
{
    ext2_file_init();
    ext4_type = ext2_type;
    ext4_type.name = "ext4";
    ext4_type.mount = ext4_mount;
    fs_register(&ext2_type);
    fs_register(&ext4_type);
}
