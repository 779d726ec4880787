/*
 * Directories of ext2: blocks of entries that follow each other without gaps.
 *
 * The index that other systems keep beside them (dir_index) looks like deleted entries; the first
 * change to a directory takes away the flag that says it has one. A block whose entries do not
 * follow the rules is an error, and nothing of it is believed.
 */
#include "fs/disk/ext2.h"
#include "libc/string.h"

/* A walk over a directory, a block at a time. */
struct scan {
    struct inode *dir;
    struct ext2_super *s;
    uint8_t *bytes; /* a frame: the block */
    uint32_t index, blocks;
    uint32_t block; /* where it is on the disk */
};

static int scan_begin(struct scan *c, struct inode *dir)
{
    *c = (struct scan){.dir = dir, .s = ext2_super(dir), .bytes = kalloc()};
    c->blocks = dir->bytes >> c->s->block_shift;
    return c->bytes ? 0 : -ENOMEM;
}

static void scan_end(struct scan *c)
{
    kfree(c->bytes);
}

static struct ext2_raw_entry *entry_at(const struct scan *c, uint32_t at)
{
    return (struct ext2_raw_entry *)(c->bytes + at);
}

static uint32_t entry_size(size_t name_len)
{
    return (EXT2_ENTRY_HEAD + (uint32_t)name_len + 3) & ~3u;
}

static bool is_sound(const struct scan *c, uint32_t at)
{
    uint32_t left = c->s->block_size - at;
    const struct ext2_raw_entry *e = entry_at(c, at);

    return left >= EXT2_ENTRY_HEAD && e->rec_len >= EXT2_ENTRY_HEAD && e->rec_len % 4 == 0 &&
           e->rec_len <= left && (!e->ino || entry_size(e->name_len) <= e->rec_len) &&
           e->ino <= c->s->inodes;
}

/* Loads block index, every entry of which is checked. -EIO; 1: there is none (a hole). */
static int scan_load(struct scan *c, uint32_t index)
{
    int err = ext2_map_find(ext2_node(c->dir), index, &c->block);

    c->index = index;
    if (err || !c->block)
        return err ? err : 1;
    err = ext2_meta_read(c->s, c->block, 0, c->bytes, c->s->block_size);
    for (uint32_t at = 0; !err && at < c->s->block_size; at += entry_at(c, at)->rec_len)
        if (!is_sound(c, at))
            return ext2_corrupt(c->s, "bad entry in directory", c->dir->ino);
    return err;
}

static bool matches(const struct ext2_raw_entry *e, const char *name, size_t len)
{
    return e->ino && e->name_len == len && memcmp(e->name, name, len) == 0;
}

static bool find_in_block(const struct scan *c, const char *name, size_t len,
                          struct ext2_place *out)
{
    uint32_t before = 0;

    for (uint32_t at = 0; at < c->s->block_size; at += entry_at(c, at)->rec_len) {
        const struct ext2_raw_entry *e = entry_at(c, at);

        if (matches(e, name, len)) {
            *out = (struct ext2_place){
                .block = c->block, .at = at, .before = before, .ino = e->ino, .type = e->type};
            return true;
        }
        before = at;
    }
    return false;
}

int ext2_dir_find(struct inode *dir, const char *name, size_t len, struct ext2_place *out)
{
    bool found = false;
    struct scan c;
    int err = scan_begin(&c, dir);

    for (uint32_t n = 0; !err && !found && n < c.blocks; n++) {
        err = scan_load(&c, n);
        found = !err && find_in_block(&c, name, len, out);
        err = err == 1 ? 0 : err;
        sched_point();
    }
    if (c.bytes)
        scan_end(&c);
    return err ? err : found ? 0 : -ENOENT;
}

/* ---- Changing ---- */

static uint8_t type_of(const struct ext2_super *s, uint32_t mode)
{
    switch (s->types ? mode & S_IFMT : 0) {
    case S_IFREG:
        return 1;
    case S_IFDIR:
        return 2;
    case S_IFCHR:
        return 3;
    case S_IFBLK:
        return 4;
    case S_IFIFO:
        return 5;
    case S_IFSOCK:
        return 6;
    case S_IFLNK:
        return 7;
    default:
        return 0;
    }
}

static int changed(struct inode *dir)
{
    dir->flags &= ~EXT2_FL_INDEX;
    inode_touch(dir, false, true, true);
    return ext2_inode_write(dir);
}

static void fill_entry(const struct scan *c, uint32_t at, uint32_t rec_len, const char *name,
                       size_t len, const struct inode *i)
{
    struct ext2_raw_entry *e = entry_at(c, at);

    e->ino = i->ino;
    e->rec_len = (uint16_t)rec_len;
    e->name_len = (uint8_t)len;
    e->type = type_of(c->s, i->mode);
    memcpy(e->name, name, len);
}

/* Puts the entry where the loaded block has room. */
static bool add_in_block(const struct scan *c, const char *name, size_t len, const struct inode *i)
{
    uint32_t need = entry_size(len);

    for (uint32_t at = 0; at < c->s->block_size; at += entry_at(c, at)->rec_len) {
        struct ext2_raw_entry *e = entry_at(c, at);
        uint32_t used = e->ino ? entry_size(e->name_len) : 0, room = e->rec_len - used;

        if (room < need)
            continue;
        if (used)
            e->rec_len = (uint16_t)used;
        fill_entry(c, at + used, room, name, len, i);
        return true;
    }
    return false;
}

/* A new block with this one entry at the end of the directory, or in its first hole. */
static int add_block(struct scan *c, uint32_t index, const char *name, size_t len,
                     const struct inode *i)
{
    struct ext2_node *n = ext2_node(c->dir);
    bool fresh;
    int err = ext2_check_room(c->s, 4);

    if (err)
        return err;
    memset(c->bytes, 0, c->s->block_size);
    fill_entry(c, 0, c->s->block_size, name, len, i);
    mutex_lock(&n->map);
    err = ext2_map_make(n, index, false, &c->block, &fresh);
    mutex_unlock(&n->map);
    if (err)
        return err;
    err = ext2_meta_write(c->s, c->block, 0, c->bytes, c->s->block_size);
    if (!err && index >= c->blocks)
        c->dir->bytes = (index + 1) << c->s->block_shift;
    return err;
}

int ext2_dir_add(struct inode *dir, const char *name, size_t len, struct inode *i)
{
    bool added = false;
    struct scan c;
    uint32_t n;
    int err = scan_begin(&c, dir);

    for (n = 0; !err && !added && n < c.blocks; n++) {
        err = scan_load(&c, n);
        if (err == 1)
            break;
        added = !err && add_in_block(&c, name, len, i);
        if (added)
            err = ext2_meta_write(c.s, c.block, 0, c.bytes, c.s->block_size);
        sched_point();
    }
    if ((!err && !added) || err == 1)
        err = add_block(&c, n, name, len, i);
    if (c.bytes)
        scan_end(&c);
    return err ? err : changed(dir);
}

int ext2_dir_remove(struct inode *dir, const struct ext2_place *p)
{
    struct ext2_super *s = ext2_super(dir);
    struct ext2_raw_entry e, before;
    int err = ext2_meta_read(s, p->block, p->at, &e, sizeof(e));

    if (!err && p->before == p->at) {
        e.ino = 0;
        err = ext2_meta_write(s, p->block, p->at, &e, sizeof(e));
    } else if (!err) {
        err = ext2_meta_read(s, p->block, p->before, &before, sizeof(before));
        before.rec_len += e.rec_len;
        if (!err)
            err = ext2_meta_write(s, p->block, p->before, &before, sizeof(before));
    }
    return err ? err : changed(dir);
}

int ext2_dir_set(struct inode *dir, const struct ext2_place *p, struct inode *i)
{
    struct ext2_super *s = ext2_super(dir);
    struct ext2_raw_entry e;
    int err = ext2_meta_read(s, p->block, p->at, &e, sizeof(e));

    e.ino = i->ino;
    e.type = type_of(s, i->mode);
    if (!err)
        err = ext2_meta_write(s, p->block, p->at, &e, sizeof(e));
    return err ? err : changed(dir);
}

int ext2_dir_make(struct inode *dir, struct inode *parent)
{
    struct scan c;
    int err = scan_begin(&c, dir);

    if (err)
        return err;
    err = add_block(&c, 0, ".", 1, dir);
    if (!err) {
        entry_at(&c, 0)->rec_len = (uint16_t)entry_size(1);
        fill_entry(&c, entry_size(1), c.s->block_size - entry_size(1), "..", 2, parent);
        err = ext2_meta_write(c.s, c.block, 0, c.bytes, c.s->block_size);
    }
    scan_end(&c);
    return err;
}

/* ---- Reading ---- */

static bool is_dots(const struct ext2_raw_entry *e)
{
    return e->name[0] == '.' && (e->name_len == 1 || (e->name_len == 2 && e->name[1] == '.'));
}

static bool block_is_empty(const struct scan *c)
{
    for (uint32_t at = 0; at < c->s->block_size; at += entry_at(c, at)->rec_len)
        if (entry_at(c, at)->ino && !is_dots(entry_at(c, at)))
            return false;
    return true;
}

int ext2_dir_is_empty(struct inode *dir)
{
    bool empty = true;
    struct scan c;
    int err = scan_begin(&c, dir);

    for (uint32_t n = 0; !err && empty && n < c.blocks; n++) {
        err = scan_load(&c, n);
        empty = err || block_is_empty(&c);
        err = err == 1 ? 0 : err;
    }
    if (c.bytes)
        scan_end(&c);
    return err ? err : empty;
}

static bool emit(struct dir_context *ctx, const struct ext2_raw_entry *e)
{
    static const uint32_t modes[] = {0,       S_IFREG, S_IFDIR,  S_IFCHR,
                                     S_IFBLK, S_IFIFO, S_IFSOCK, S_IFLNK};

    if (!e->ino || !e->name_len || is_dots(e))
        return true;
    return dir_emit(ctx, e->name, e->name_len, e->ino, e->type < 8 ? modes[e->type] : 0);
}

/* The entries of the loaded block from ctx->pos on; false: the buffer is full. */
static bool emit_block(const struct scan *c, struct dir_context *ctx)
{
    uint64_t start = (uint64_t)c->index << c->s->block_shift;

    for (uint32_t at = 0; at < c->s->block_size; at += entry_at(c, at)->rec_len) {
        const struct ext2_raw_entry *e = entry_at(c, at);

        if (start + at + 2 < ctx->pos)
            continue;
        if (!emit(ctx, e))
            return false;
        ctx->pos = start + at + e->rec_len + 2;
    }
    return true;
}

/* Positions are 2 and the offset of an entry. */
int ext2_dir_iterate(struct file *f, struct dir_context *ctx)
{
    bool room = true;
    struct scan c;
    int err = scan_begin(&c, f->inode);
    uint64_t n;

    if (err)
        return err;
    for (n = (ctx->pos - 2) >> c.s->block_shift; !err && room && n < c.blocks; n++) {
        err = scan_load(&c, (uint32_t)n);
        room = err || emit_block(&c, ctx);
        if (err == 1) {
            ctx->pos = ((n + 1) << c.s->block_shift) + 2;
            err = 0;
        }
    }
    scan_end(&c);
    return err;
}
