/*
 * Inodes of ext2 in memory and on the disk.
 *
 * Every inode with a name that was ever looked up stays in memory, with the page cache of its file,
 * until too many are there: the list of its super block holds a reference. When the last name goes,
 * so does that reference, and the file lives as long as somebody uses it. What the VFS changes in
 * an inode needs no mark: writing compares with what the disk has.
 */
#include "fs/disk/ext2.h"
#include "kernel/thread/proc.h"
#include "kernel/time/time.h"
#include "libc/string.h"

#define NODES_MAX 2048u /* kept in memory while nobody uses them */

/* ---- Where it is on the disk ---- */

static int find_raw(struct ext2_super *s, uint32_t ino, uint32_t *block, uint32_t *at)
{
    uint64_t offset = (uint64_t)((ino - 1) % s->inodes_per_group) * s->inode_size;
    struct ext2_raw_group g;
    int err = ext2_group_read(s, (ino - 1) / s->inodes_per_group, &g);

    if (err)
        return err;
    if (!ext2_is_block(s, g.inode_table))
        return ext2_corrupt(s, "bad inode table of inode", ino);
    *block = g.inode_table + (uint32_t)(offset >> s->block_shift);
    *at = (uint32_t)offset & (s->block_size - 1);
    return 0;
}

int ext2_raw_read(struct ext2_super *s, uint32_t ino, struct ext2_raw_inode *raw)
{
    uint32_t block, at;
    int err = find_raw(s, ino, &block, &at);

    return err ? err : ext2_meta_read(s, block, at, raw, sizeof(*raw));
}

int ext2_raw_write(struct ext2_super *s, uint32_t ino, const struct ext2_raw_inode *raw)
{
    uint32_t block, at;
    int err = find_raw(s, ino, &block, &at);

    return err ? err : ext2_meta_write(s, block, at, raw, sizeof(*raw));
}

int ext2_inode_rest(struct ext2_super *s, uint32_t ino, void *buf, bool write)
{
    uint32_t block, at, len = s->inode_size - EXT2_RAW_INODE;
    int err = find_raw(s, ino, &block, &at);

    if (err)
        return err;
    at += EXT2_RAW_INODE;
    return write ? ext2_meta_write(s, block, at, buf, len) : ext2_meta_read(s, block, at, buf, len);
}

/* ---- From the disk ---- */

/* The first block has a number of 16 bits, or the second one of 32. */
static uint32_t device_number(const struct ext2_raw_inode *raw)
{
    return raw->block[0] ? raw->block[0] & 0xffff : raw->block[1];
}

static uint64_t max_size_of(const struct ext2_super *s, const struct ext2_raw_inode *raw)
{
    return raw->flags & EXT4_FL_EXTENTS ? (uint64_t)UINT32_MAX << s->block_shift : ext2_max_size(s);
}

static int check_raw(struct ext2_super *s, uint32_t ino, const struct ext2_raw_inode *raw)
{
    uint64_t size = raw->size | (S_ISREG(raw->mode) ? (uint64_t)raw->size_high << 32 : 0);
    uint32_t type = raw->mode & S_IFMT;
    bool known = type == S_IFREG || type == S_IFDIR || type == S_IFLNK || type == S_IFCHR ||
                 type == S_IFBLK || type == S_IFIFO || type == S_IFSOCK;

    if ((raw->flags & EXT4_FL_EXTENTS) && !s->is_ext4)
        return ext2_corrupt(s, "extents in inode", ino);
    if (!raw->links || !known)
        return ext2_corrupt(s, "an entry names what is no inode:", ino);
    if (size > max_size_of(s, raw) || (type == S_IFLNK && size >= PATH_MAX))
        return ext2_corrupt(s, "bad size of inode", ino);
    return 0;
}

static bool is_short_link(const struct ext2_super *s, const struct inode *i)
{
    const struct ext2_node *n = i->private;
    uint32_t attributes = n->file_acl ? s->block_size / SECTOR_SIZE : 0;

    return S_ISLNK(i->mode) && n->sectors == attributes && i->bytes < sizeof(n->block);
}

static int set_operations(struct inode *i, uint64_t size)
{
    struct ext2_node *n = i->private;

    i->bytes = (uint32_t)size;
    n->is_dir = S_ISDIR(i->mode);
    n->short_link = is_short_link(n->super, i);
    if (S_ISREG(i->mode)) {
        i->object = vm_object_create(&ext2_pager, n, size);
        if (!i->object)
            return -ENOMEM;
        i->ops = &ext2_file_inode_ops;
        i->fops = &ext2_file_ops;
    } else if (S_ISDIR(i->mode)) {
        i->ops = &ext2_dir_ops;
    } else {
        i->ops = S_ISLNK(i->mode) ? &ext2_link_ops : &ext2_special_ops;
        if (!S_ISLNK(i->mode) && !n->short_link)
            i->bytes = 0;
    }
    return 0;
}

void ext2_node_init(struct ext2_node *n, struct ext2_super *s, uint32_t ino)
{
    n->super = s;
    n->ino = ino;
    mutex_init(&n->map, MUTEX_RANK_MAP);
    mutex_init(&n->punch, MUTEX_RANK_PUNCH);
    list_init(&n->link);
}

static struct inode *new_node(struct superblock *sb, uint32_t ino, uint32_t mode)
{
    struct inode *i = inode_bare(sb, mode);
    struct ext2_node *n = i ? kzalloc(sizeof(*n)) : NULL;

    if (!n) {
        if (i)
            inode_unref(i);
        return NULL;
    }
    i->ino = ino;
    i->private = n;
    ext2_node_init(n, sb->private, ino);
    n->inode = i;
    return i;
}

static void fill(struct inode *i, const struct ext2_raw_inode *raw)
{
    struct ext2_node *n = i->private;

    i->nlink = raw->links;
    i->uid = raw->uid | (uint32_t)raw->uid_high << 16;
    i->gid = raw->gid | (uint32_t)raw->gid_high << 16;
    i->atime.sec = (int32_t)raw->atime;
    i->mtime.sec = (int32_t)raw->mtime;
    i->ctime.sec = (int32_t)raw->ctime;
    memcpy(n->block, raw->block, sizeof(n->block));
    n->sectors = raw->sectors;
    i->flags = n->flags = raw->flags;
    n->generation = raw->generation;
    n->file_acl = raw->file_acl;
    if (S_ISCHR(i->mode) || S_ISBLK(i->mode))
        i->rdev = device_number(raw);
}

/* What a larger inode adds: the lower two bits of each are above the seconds, the rest are ns. */
struct raw_times {
    uint16_t bytes, checksum;
    uint32_t ctime, mtime, atime;
};

static void widen(struct timestamp *t, uint32_t more)
{
    t->sec += (int64_t)(more & 3) << 32;
    t->nsec = (more >> 2) % (uint32_t)NSEC_PER_SEC;
}

/* Only where nothing is written: what writes here knows of seconds alone. */
static int fill_nanoseconds(struct inode *i)
{
    struct ext2_node *n = i->private;
    struct raw_times t = {0};
    uint32_t block, at;
    int err;

    if (!n->super->only_read || n->super->inode_size < EXT2_RAW_INODE + sizeof(t))
        return 0;
    err = find_raw(n->super, n->ino, &block, &at);
    if (!err)
        err = ext2_meta_read(n->super, block, at + EXT2_RAW_INODE, &t, sizeof(t));
    if (err || t.bytes < sizeof(t))
        return err;
    widen(&i->ctime, t.ctime);
    widen(&i->mtime, t.mtime);
    widen(&i->atime, t.atime);
    return 0;
}

static int load(struct superblock *sb, uint32_t ino, struct inode **out)
{
    struct ext2_super *s = sb->private;
    struct ext2_raw_inode raw;
    uint64_t size;
    int err = ext2_raw_read(s, ino, &raw);

    if (!err)
        err = check_raw(s, ino, &raw);
    if (err)
        return err;
    *out = new_node(sb, ino, raw.mode);
    if (!*out)
        return -ENOMEM;
    fill(*out, &raw);
    size = raw.size | (S_ISREG(raw.mode) ? (uint64_t)raw.size_high << 32 : 0);
    err = fill_nanoseconds(*out);
    if (!err)
        err = set_operations(*out, size);
    if (err) {
        kmfree((*out)->private);
        inode_unref(*out);
    }
    return err;
}

/* ---- The list ---- */

/* [cached] */
static void list_node(struct ext2_node *n)
{
    struct ext2_super *s = n->super;

    inode_ref(n->inode);
    n->listed = true;
    n->epoch = s->epoch;
    list_add_tail(&s->nodes, &n->link);
    s->count++;
}

/* [cached] The caller drops the reference. */
static void unlist_node(struct ext2_node *n)
{
    list_remove(&n->link);
    n->listed = false;
    n->super->count--;
}

/* [cached] */
static struct inode *find_listed(struct ext2_super *s, uint32_t ino)
{
    struct ext2_node *n;

    list_for_each_entry (n, &s->nodes, link)
        if (n->ino == ino)
            return n->inode;
    return NULL;
}

static int write_out(struct inode *i, bool data)
{
    struct ext2_node *n = i->private;
    uint32_t first = 0;
    int err = 0, written;

    if (i->object && data) {
        err = vm_object_sync(i->object);
        if (!err && !vm_object_next_dirty(i->object, &first))
            ext2_promise_end(n, UINT32_MAX);
    }
    written = ext2_inode_write(i);
    return err ? err : written;
}

/* One node that nobody uses leaves memory, when there are too many. */
static void shrink(struct ext2_super *s)
{
    struct inode *i = NULL;
    struct ext2_node *n;
    uint32_t first = 0;
    bool unused;

    mutex_lock(&s->cached);
    if (s->count > NODES_MAX) {
        n = list_first_entry(&s->nodes, struct ext2_node, link);
        list_remove(&n->link);
        list_add_tail(&s->nodes, &n->link);
        i = n->inode;
        inode_ref(i);
    }
    mutex_unlock(&s->cached);
    if (!i)
        return;
    unused = i->refs == 2 && !write_out(i, true);
    mutex_lock(&s->cached);
    n = i->private;
    unused =
        unused && n->listed && __atomic_load_n(&i->refs, __ATOMIC_ACQUIRE) == 2 &&
        !(i->object && (vm_object_areas(i->object) || vm_object_next_dirty(i->object, &first)));
    if (unused)
        unlist_node(n);
    mutex_unlock(&s->cached);
    if (unused)
        inode_unref(i);
    inode_unref(i);
}

int ext2_iget(struct superblock *sb, uint32_t ino, struct inode **out)
{
    struct ext2_super *s = sb->private;
    int err = 0;

    if (ino > s->inodes || (ino != EXT2_ROOT_INO && ino < s->first_ino))
        return ext2_corrupt(s, "bad inode number", ino);
    mutex_lock(&s->cached);
    *out = find_listed(s, ino);
    if (*out) {
        inode_ref(*out);
    } else {
        err = load(sb, ino, out);
        if (!err)
            list_node((*out)->private);
    }
    mutex_unlock(&s->cached);
    if (!err)
        shrink(s);
    return err;
}

void ext2_inode_orphan(struct inode *i)
{
    struct ext2_node *n = i->private;
    struct ext2_super *s = n->super;
    bool was;

    mutex_lock(&s->cached);
    was = n->listed;
    if (was) {
        unlist_node(n);
        __atomic_fetch_add(&s->orphans, 1, __ATOMIC_RELAXED);
    }
    mutex_unlock(&s->cached);
    (void)ext2_inode_write(i);
    if (was)
        inode_unref(i);
}

void ext2_inode_adopt(struct inode *i)
{
    struct ext2_node *n = i->private;

    mutex_lock(&n->super->cached);
    if (!n->listed) {
        list_node(n);
        __atomic_fetch_sub(&n->super->orphans, 1, __ATOMIC_RELAXED);
    }
    mutex_unlock(&n->super->cached);
}

/* The next node that the commit under way has not written: a reference to its inode, or NULL. */
static struct inode *next_to_write(struct ext2_super *s)
{
    struct ext2_node *n;
    struct inode *i = NULL;

    mutex_lock(&s->cached);
    if (!list_empty(&s->nodes)) {
        n = list_first_entry(&s->nodes, struct ext2_node, link);
        if (n->epoch != s->epoch) {
            n->epoch = s->epoch;
            list_remove(&n->link);
            list_add_tail(&s->nodes, &n->link);
            i = n->inode;
            inode_ref(i);
        }
    }
    mutex_unlock(&s->cached);
    return i;
}

int ext2_nodes_write(struct ext2_super *s, bool data)
{
    struct inode *i;
    int err = 0, one;

    mutex_lock(&s->cached);
    s->epoch++;
    mutex_unlock(&s->cached);
    while ((i = next_to_write(s)) != NULL) {
        one = write_out(i, data);
        if (!one && ext2_changes_many(s))
            one = ext2_log_commit(s);
        if (one && !err)
            err = one;
        inode_unref(i);
        sched_point();
    }
    return err;
}

bool ext2_nodes_busy(struct ext2_super *s)
{
    struct ext2_node *n;
    bool busy = __atomic_load_n(&s->orphans, __ATOMIC_RELAXED) != 0;

    mutex_lock(&s->cached);
    list_for_each_entry (n, &s->nodes, link)
        busy = busy || (n->inode->object && vm_object_areas(n->inode->object));
    mutex_unlock(&s->cached);
    return busy;
}

bool ext2_nodes_written(struct ext2_super *s)
{
    struct ext2_node *n;
    bool written = __atomic_load_n(&s->orphans, __ATOMIC_RELAXED) != 0;

    mutex_lock(&s->cached);
    list_for_each_entry (n, &s->nodes, link)
        written = written || __atomic_load_n(&n->inode->writers, __ATOMIC_RELAXED) > 0 ||
                  (n->inode->object && vm_object_has_writers(n->inode->object));
    mutex_unlock(&s->cached);
    return written;
}

void ext2_nodes_drop(struct ext2_super *s)
{
    struct ext2_node *n, *next;

    list_for_each_entry_safe (n, next, &s->nodes, link) {
        struct inode *i = n->inode;

        unlist_node(n);
        inode_unref(i);
    }
}

/* ---- To the disk ---- */

static void encode(const struct inode *i, struct ext2_raw_inode *raw)
{
    const struct ext2_node *n = i->private;
    uint64_t size = i->object ? vm_object_size(i->object) : i->bytes;

    raw->mode = (uint16_t)i->mode;
    raw->links = (uint16_t)i->nlink;
    raw->uid = (uint16_t)i->uid;
    raw->uid_high = (uint16_t)(i->uid >> 16);
    raw->gid = (uint16_t)i->gid;
    raw->gid_high = (uint16_t)(i->gid >> 16);
    raw->atime = (uint32_t)i->atime.sec;
    raw->mtime = (uint32_t)i->mtime.sec;
    raw->ctime = (uint32_t)i->ctime.sec;
    raw->dtime = 0;
    raw->size = (uint32_t)size;
    if (S_ISREG(i->mode))
        raw->size_high = (uint32_t)(size >> 32);
    raw->sectors = n->sectors;
    raw->flags = i->flags;
    raw->generation = n->generation;
    raw->file_acl = n->file_acl;
    memcpy(raw->block, n->block, sizeof(raw->block));
}

static int write_changed(struct inode *i)
{
    struct ext2_node *n = i->private;
    struct ext2_raw_inode old, new;
    int err = ext2_raw_read(n->super, n->ino, &old);

    if (err)
        return err;
    new = old;
    inode_settle(i);
    encode(i, &new);
    if (memcmp(&old, &new, sizeof(old)) == 0)
        return 0;
    if (S_ISREG(i->mode) && (new.size_high || new.size >> 31))
        err = ext2_super_set_large(n->super);
    return err ? err : ext2_raw_write(n->super, n->ino, &new);
}

int ext2_map_write(struct ext2_node *n, uint64_t size)
{
    struct ext2_raw_inode raw;
    int err = ext2_raw_read(n->super, n->ino, &raw);

    if (err)
        return err;
    memcpy(raw.block, n->block, sizeof(raw.block));
    raw.sectors = n->sectors;
    raw.size = (uint32_t)size;
    raw.size_high = (uint32_t)(size >> 32);
    return ext2_raw_write(n->super, n->ino, &raw);
}

int ext2_inode_write(struct inode *i)
{
    struct ext2_super *s = ext2_super(i);
    struct ext2_operation op;
    int err;

    if ((i->sb->flags & MS_RDONLY) && !s->marked)
        return 0;
    ext2_begin(s, &op);
    err = write_changed(i);
    ext2_end(s, &op);
    return err;
}

int ext2_setattr(struct inode *i)
{
    struct ext2_operation op;
    int err = ext2_begin_change(ext2_super(i), &op);

    if (err)
        return err;
    err = ext2_inode_write(i);
    ext2_end(ext2_super(i), &op);
    return err;
}

/* ---- Birth and death ---- */

/* Zeros over all of its place, and what the VFS's inode says. */
static int write_first(struct inode *i)
{
    static const uint8_t zeros[64];
    struct ext2_node *n = i->private;
    struct ext2_super *s = n->super;
    uint32_t block, at;
    int err = find_raw(s, n->ino, &block, &at);

    for (uint32_t k = 0; !err && k < s->inode_size; k += sizeof(zeros))
        err = ext2_meta_write(s, block, at + k, zeros, sizeof(zeros));
    return err ? err : ext2_inode_write(i);
}

static void inherit(struct inode *i, const struct inode *dir)
{
    const struct cred *c = &proc_current()->cred;

    i->uid = c->fsuid;
    i->gid = dir->mode & S_ISGID ? dir->gid : c->fsgid;
    if ((dir->mode & S_ISGID) && S_ISDIR(i->mode))
        i->mode |= S_ISGID;
    i->flags = dir->flags & (INODE_NODUMP | INODE_NOATIME);
    inode_touch(i, true, true, true);
}

int ext2_inode_make(struct inode *dir, uint32_t mode, uint32_t rdev, struct inode **out)
{
    struct ext2_super *s = ext2_super(dir);
    struct ext2_node *n;
    struct inode *i;
    uint32_t ino;
    int err = ext2_inode_alloc(s, dir->ino, S_ISDIR(mode), &ino);

    if (err)
        return err;
    i = new_node(dir->sb, ino, mode);
    if (!i) {
        ext2_inode_free(s, ino, S_ISDIR(mode));
        return -ENOMEM;
    }
    n = i->private;
    inherit(i, dir);
    i->rdev = rdev;
    n->generation = __atomic_add_fetch(&s->next_generation, 1, __ATOMIC_RELAXED);
    if (S_ISCHR(mode) || S_ISBLK(mode))
        n->block[rdev > 0xffff] = rdev;
    err = set_operations(i, 0);
    if (!err)
        err = write_first(i);
    mutex_lock(&s->cached);
    list_node(n);
    mutex_unlock(&s->cached);
    *out = i;
    if (err) {
        i->nlink = 0;
        i->ops = &ext2_special_ops;
        ext2_inode_orphan(i);
        inode_unref(i);
    }
    return err;
}

/* Everything the file had goes back. */
static void release(struct ext2_node *n, bool has_map)
{
    struct ext2_super *s = n->super;
    struct ext2_operation op;
    struct ext2_raw_inode raw;

    ext2_begin(s, &op);
    mutex_lock(&n->map);
    if (has_map)
        ext2_map_cut(n, 0, UINT64_MAX);
    mutex_unlock(&n->map);
    if (n->file_acl)
        ext2_attr_drop(n);
    if (!ext2_raw_read(s, n->ino, &raw)) {
        memset(raw.block, 0, sizeof(raw.block));
        raw.size = raw.size_high = raw.sectors = raw.links = raw.file_acl = 0;
        raw.dtime = (uint32_t)(time_real_ns() / NSEC_PER_SEC);
        (void)ext2_raw_write(s, n->ino, &raw);
    }
    ext2_inode_free(s, n->ino, n->is_dir);
    ext2_end(s, &op);
    __atomic_fetch_sub(&s->orphans, 1, __ATOMIC_RELAXED);
}

void ext2_node_free(struct ext2_node *n)
{
    ext2_promise_end(n, UINT32_MAX);
    if (n->orphan)
        release(n, !n->short_link);
    kmfree(n->path);
    kmfree(n);
}

/* A file's node goes with its page cache, which a mapping may still have. */
void ext2_inode_destroy(struct inode *i)
{
    struct ext2_node *n = i->private;

    n->orphan = i->nlink == 0;
    if (S_ISCHR(i->mode) || S_ISBLK(i->mode) || S_ISFIFO(i->mode) || (i->mode & S_IFMT) == S_IFSOCK)
        n->short_link = true;
    __atomic_store_n(&n->inode, NULL, __ATOMIC_RELEASE);
    if (!i->object)
        ext2_node_free(n);
}
