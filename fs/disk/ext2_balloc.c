/*
 * Blocks of ext2: which are free, who gets them, and promises.
 *
 * A page of a file gets its blocks when it is written out, so that neighbours lie together. Before
 * it is first written to it is promised as many as that may take: who runs out of room learns it
 * from his write or his fault, never later.
 */
#include "fs/disk/ext2.h"
#include "kernel/thread/proc.h"

#define SLACK 8u /* blocks that promises leave for maps which grow at odd places */

static uint32_t blocks_in(const struct ext2_super *s, uint32_t group)
{
    uint32_t first = s->first_data + group * s->blocks_per_group, left = s->blocks - first;

    return left < s->blocks_per_group ? left : s->blocks_per_group;
}

/* [alloc] */
static bool is_metadata(const struct ext2_super *s, const struct ext2_raw_group *g, uint32_t block)
{
    uint32_t table = (uint32_t)((uint64_t)s->inodes_per_group * s->inode_size >> s->block_shift);

    return block == g->block_bitmap || block == g->inode_bitmap ||
           (block >= g->inode_table && block - g->inode_table < table);
}

/* [alloc] Takes a block of the group from bit from on; 1: there is none. */
static int take_in(struct ext2_super *s, uint32_t group, uint32_t from, uint32_t *out)
{
    struct ext2_raw_group g;
    uint32_t bit, end = blocks_in(s, group);
    int err = ext2_group_read(s, group, &g);

    if (err || !g.free_blocks)
        return err ? err : 1;
    err = ext2_bitmap_load(s, &s->block_bits, group);
    if (err)
        return err;
    bit = ext2_bitmap_find(s, &s->block_bits, from, end);
    if (bit == end)
        return 1;
    *out = s->first_data + group * s->blocks_per_group + bit;
    if (is_metadata(s, &g, *out))
        return ext2_corrupt(s, "metadata are marked free: block", *out);
    err = ext2_bitmap_change(s, &s->block_bits, bit, true);
    if (err)
        return err;
    g.free_blocks--;
    s->free_blocks -= s->free_blocks > 0;
    return ext2_group_write(s, group, &g);
}

static int take(struct ext2_super *s, uint32_t goal, uint32_t *out)
{
    uint32_t group, from;
    int err;

    if (!ext2_is_block(s, goal))
        goal = s->first_data;
    group = (goal - s->first_data) / s->blocks_per_group;
    from = (goal - s->first_data) % s->blocks_per_group;
    err = take_in(s, group, from, out);
    for (uint32_t n = 0; err == 1 && n < s->groups; n++) {
        group = group + 1 < s->groups ? group + 1 : 0;
        err = take_in(s, group, 0, out);
        sched_point();
    }
    return err == 1 ? -ENOSPC : err;
}

/* A whole page of the device's cache may still have what the block was before. */
static void forget(struct ext2_super *s, uint32_t block)
{
    if (s->block_size == PAGE_SIZE)
        vm_object_forget(s->cache, block, (uint64_t)block + 1);
}

int ext2_block_alloc(struct ext2_super *s, uint32_t goal, bool data, uint32_t *out)
{
    int err;

    mutex_lock(&s->alloc);
    err = take(s, goal, out);
    mutex_unlock(&s->alloc);
    if (!err && data)
        forget(s, *out);
    return err;
}

/* [alloc] */
static int give_back(struct ext2_super *s, uint32_t block)
{
    uint32_t group = (block - s->first_data) / s->blocks_per_group;
    uint32_t bit = (block - s->first_data) % s->blocks_per_group;
    struct ext2_raw_group g;
    int err = ext2_bitmap_load(s, &s->block_bits, group);

    if (!err)
        err = ext2_group_read(s, group, &g);
    if (err)
        return err;
    if (!ext2_bitmap_test(&s->block_bits, bit) || is_metadata(s, &g, block))
        return ext2_corrupt(s, "freeing what is not in use: block", block);
    err = ext2_freeze(s, &s->block_bits, bit);
    if (!err)
        err = ext2_bitmap_change(s, &s->block_bits, bit, false);
    if (err)
        return err;
    g.free_blocks++;
    s->free_blocks++;
    return ext2_group_write(s, group, &g);
}

/* What cannot be freed is lost until the next check of the file system. */
void ext2_block_free(struct ext2_super *s, uint32_t block)
{
    if (!ext2_is_block(s, block)) {
        ext2_corrupt(s, "freeing no block of the file system:", block);
        return;
    }
    mutex_lock(&s->alloc);
    (void)give_back(s, block);
    mutex_unlock(&s->alloc);
}

/* ---- Room ---- */

static bool may_use_reserve(const struct ext2_super *s)
{
    const struct cred *c = &proc_current()->cred;

    return capable(CAP_SYS_RESOURCE) || c->fsuid == s->resuid;
}

/* [alloc] */
static bool has_room(const struct ext2_super *s, uint32_t blocks)
{
    uint64_t used = (uint64_t)s->promised + s->frozen_blocks + SLACK + blocks;

    if (!may_use_reserve(s))
        used += s->reserved;
    return used <= s->free_blocks;
}

int ext2_check_room(struct ext2_super *s, uint32_t blocks)
{
    bool room;

    mutex_lock(&s->alloc);
    room = has_room(s, blocks);
    mutex_unlock(&s->alloc);
    return room ? 0 : -ENOSPC;
}

/* What was freed can be used, and promises are exact, once all is written. */
bool ext2_wants_commit(struct ext2_super *s, uint32_t blocks)
{
    bool helps;

    mutex_lock(&s->alloc);
    helps = (!has_room(s, blocks) && (s->frozen_blocks || s->promised)) ||
            (s->frozen_inodes && s->free_inodes <= s->frozen_inodes);
    mutex_unlock(&s->alloc);
    return helps;
}

int ext2_promise(struct ext2_node *n)
{
    uint32_t blocks = PAGE_SIZE / n->super->block_size + 1;
    struct ext2_super *s = n->super;
    bool room;

    ext2_make_room(s, blocks);
    mutex_lock(&s->alloc);
    room = has_room(s, blocks);
    if (room) {
        s->promised += blocks;
        n->promised += blocks;
    }
    mutex_unlock(&s->alloc);
    return room ? 0 : -ENOSPC;
}

void ext2_promise_end(struct ext2_node *n, uint32_t blocks)
{
    struct ext2_super *s = n->super;

    mutex_lock(&s->alloc);
    if (blocks > n->promised)
        blocks = n->promised;
    n->promised -= blocks;
    s->promised -= blocks;
    mutex_unlock(&s->alloc);
}
