/*
 * Where the blocks of a file are: twelve in the inode, more through one, two or three blocks of
 * pointers. 0 is a hole.
 *
 * Finding takes no lock: a pointer only ever changes from 0 to a block while the page behind it is
 * in use; ext2_map_cut comes after the pages are gone.
 */
#include "fs/disk/ext2.h"

#define DEPTH_MAX 4

/* The way to a block: which pointer in the inode, then in each block of pointers. */
struct way {
    unsigned depth; /* of the last step */
    uint32_t step[DEPTH_MAX];
};

/* False: past what the map can hold. */
static bool find_way(const struct ext2_super *s, uint32_t index, struct way *w)
{
    uint64_t left = index, span = 1;

    *w = (struct way){.step[0] = index};
    if (index < EXT2_NDIR)
        return true;
    left -= EXT2_NDIR;
    for (w->depth = 1; w->depth < DEPTH_MAX; w->depth++) {
        span *= s->pointers;
        if (left < span)
            break;
        left -= span;
    }
    if (w->depth == DEPTH_MAX)
        return false;
    w->step[0] = EXT2_NDIR + w->depth - 1;
    for (unsigned d = w->depth; d > 0; d--) {
        w->step[d] = (uint32_t)(left % s->pointers);
        left /= s->pointers;
    }
    return true;
}

static int read_pointer(struct ext2_super *s, uint32_t block, uint32_t n, uint32_t *out)
{
    int err = ext2_meta_read(s, block, n * 4, out, 4);

    if (!err && *out && !ext2_is_block(s, *out))
        err = ext2_corrupt(s, "bad pointer in block", block);
    return err;
}

static int first_pointer(const struct ext2_node *n, const struct way *w, uint32_t *out)
{
    *out = n->block[w->step[0]];
    return !*out || ext2_is_block(n->super, *out)
               ? 0
               : ext2_corrupt(n->super, "bad pointer in inode", n->ino);
}

int ext2_map_find(struct ext2_node *n, uint32_t index, uint32_t *out)
{
    struct way w;
    int err;

    if (n->flags & EXT4_FL_EXTENTS)
        return ext4_extent_find(n, index, out);
    *out = 0;
    if (!find_way(n->super, index, &w))
        return 0;
    err = first_pointer(n, &w, out);
    for (unsigned d = 1; !err && *out && d <= w.depth; d++)
        err = read_pointer(n->super, *out, w.step[d], out);
    return err;
}

/* ---- Growing ---- */

uint32_t ext2_own_group(const struct ext2_node *n)
{
    const struct ext2_super *s = n->super;

    return s->first_data + (n->ino - 1) / s->inodes_per_group * s->blocks_per_group;
}

static uint32_t goal_for(const struct ext2_node *n, uint32_t index)
{
    if (n->last_block && index == n->last_index + 1)
        return n->last_block + 1;
    if (n->last_block)
        return n->last_block;
    return ext2_own_group(n);
}

/* [map] A new block for the map or the file. */
static int new_block(struct ext2_node *n, uint32_t goal, bool data, uint32_t *out)
{
    struct ext2_super *s = n->super;
    int err = ext2_block_alloc(s, goal, data, out);

    if (err)
        return err;
    if (!data)
        err = ext2_meta_clear(s, *out);
    if (err)
        ext2_block_free(s, *out);
    else
        n->sectors += s->block_size / SECTOR_SIZE;
    return err;
}

/* [map] The pointer of one step: in the inode where block is 0. */
static int set_pointer(struct ext2_node *n, uint32_t block, uint32_t step, uint32_t value)
{
    if (block)
        return ext2_meta_write(n->super, block, step * 4, &value, 4);
    __atomic_store_n(&n->block[step], value, __ATOMIC_RELEASE);
    return 0;
}

/* [map] Makes what is missing at one step of the way. */
static int make_step(struct ext2_node *n, uint32_t parent, uint32_t step, uint32_t goal, bool data,
                     uint32_t *out)
{
    int err = new_block(n, goal, data, out);

    if (err)
        return err;
    err = set_pointer(n, parent, step, *out);
    if (err) {
        ext2_block_free(n->super, *out);
        n->sectors -= n->super->block_size / SECTOR_SIZE;
    }
    return err;
}

int ext2_map_make(struct ext2_node *n, uint32_t index, bool data, uint32_t *out, bool *fresh)
{
    uint32_t parent = 0, goal = goal_for(n, index);
    struct way w;
    int err;

    *fresh = false;
    if (!find_way(n->super, index, &w))
        return -EFBIG;
    err = first_pointer(n, &w, out);
    for (unsigned d = 0; !err; d++) {
        bool last = d == w.depth;

        if (!*out) {
            err = make_step(n, parent, w.step[d], goal, last && data, out);
            *fresh = last;
            goal = err ? goal : *out + 1;
        }
        if (last || err)
            break;
        parent = *out;
        err = read_pointer(n->super, parent, w.step[d + 1], out);
    }
    if (!err && *fresh) {
        n->last_index = index;
        n->last_block = *out;
    }
    return err;
}

/* ---- Cutting ---- */

static void drop_block(struct ext2_node *n, uint32_t block)
{
    uint32_t sectors = n->super->block_size / SECTOR_SIZE;

    ext2_block_free(n->super, block);
    n->sectors -= n->sectors < sectors ? n->sectors : sectors;
}

/* A block of pointers that is gone bad keeps what it points to until the next check. */
static bool is_branch(const struct ext2_node *n, uint32_t block)
{
    if (ext2_is_block(n->super, block))
        return true;
    ext2_corrupt(n->super, "bad pointer below inode", n->ino);
    return false;
}

/* [map] Whether a block of pointers has none. */
static bool is_empty(struct ext2_node *n, uint32_t block)
{
    uint32_t child = 0;

    for (uint32_t i = 0; i < n->super->pointers; i++)
        if (ext2_meta_read(n->super, block, i * 4, &child, 4) || child)
            return false;
    return true;
}

/* [map] Frees [from, to) of the blocks that a block of pointers leads to, by so many steps. True:
 * nothing is left of it. */
static bool cut_below(struct ext2_node *n, uint32_t block, unsigned steps, uint64_t from,
                      uint64_t to)
{
    uint64_t span = 1, below;

    for (unsigned i = 1; i < steps; i++)
        span *= n->super->pointers;
    below = span * n->super->pointers;
    to = to < below ? to : below;
    for (uint64_t at = from / span * span; at < to; at += span) {
        uint32_t child, number = (uint32_t)(at / span);

        if (number % 16 == 0)
            sched_point();
        if (ext2_meta_read(n->super, block, number * 4, &child, 4) || !child)
            continue;
        if (steps > 1 && (!is_branch(n, child) ||
                          !cut_below(n, child, steps - 1, from > at ? from - at : 0, to - at)))
            continue;
        (void)set_pointer(n, block, number, 0);
        drop_block(n, child);
    }
    return (from == 0 && to == below) || is_empty(n, block);
}

/* [map] The same of a pointer of the inode. */
static void cut_branch(struct ext2_node *n, unsigned steps, uint64_t from, uint64_t to)
{
    unsigned slot = EXT2_NDIR + steps - 1;
    uint32_t block = n->block[slot];

    if (block && is_branch(n, block) && cut_below(n, block, steps, from, to)) {
        n->block[slot] = 0;
        drop_block(n, block);
    }
}

void ext2_map_cut(struct ext2_node *n, uint32_t index, uint64_t end)
{
    uint64_t start = EXT2_NDIR, span = 1;

    for (uint32_t i = index; i < EXT2_NDIR && i < end; i++) {
        uint32_t block = n->block[i];

        n->block[i] = 0;
        if (block)
            drop_block(n, block);
    }
    for (unsigned steps = 1; steps < DEPTH_MAX; steps++) {
        span *= n->super->pointers;
        if (index < start + span && end > start)
            cut_branch(n, steps, index > start ? index - start : 0, end - start);
        start += span;
    }
    n->last_block = 0;
}

/* ---- Looking for the next ---- */

/* Follows the way: to a block, or 0 and how many blocks, this one included, are missing with it. */
static int follow(struct ext2_node *n, const struct way *w, uint32_t *block, uint64_t *missing)
{
    uint64_t span = 1, within = 0;
    unsigned d = 0;
    int err = first_pointer(n, w, block);

    while (!err && *block && d < w->depth)
        err = read_pointer(n->super, *block, w->step[++d], block);
    while (d++ < w->depth) {
        span *= n->super->pointers;
        within = within * n->super->pointers + w->step[d];
    }
    *missing = span - within;
    return err;
}

int ext2_map_next(struct ext2_node *n, uint64_t end, uint32_t *index, uint32_t *block)
{
    uint64_t at = *index, missing;
    struct way w;

    while (at < end && at <= UINT32_MAX && find_way(n->super, (uint32_t)at, &w)) {
        int err = follow(n, &w, block, &missing);

        *index = (uint32_t)at;
        if (err || *block)
            return err ? err : 1;
        at += missing;
        sched_point();
    }
    return 0;
}
