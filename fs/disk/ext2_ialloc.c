/*
 * Inodes of ext2: which are free, and where a new one goes: a file near its directory, a directory
 * where there is room, so that both have neighbours of their own kind.
 */
#include "fs/disk/ext2.h"

/* [alloc] The group with the most free inodes, from the parent's on. */
static uint32_t roomy_group(struct ext2_super *s, uint32_t from)
{
    uint32_t best = from, most = 0;

    for (uint32_t n = 0; n < s->groups; n++) {
        uint32_t group = (uint32_t)(((uint64_t)from + n) % s->groups);
        struct ext2_raw_group g;

        if (!ext2_group_read(s, group, &g) && g.free_blocks && g.free_inodes > most) {
            most = g.free_inodes;
            best = group;
        }
        sched_point();
    }
    return best;
}

/* [alloc] Takes an inode of the group; 1: there is none. */
static int take_in(struct ext2_super *s, uint32_t group, bool dir, uint32_t *out)
{
    uint32_t first = group == 0 ? s->first_ino - 1 : 0, end = s->inodes_per_group, bit;
    struct ext2_raw_group g;
    int err = ext2_group_read(s, group, &g);

    if (err || !g.free_inodes)
        return err ? err : 1;
    err = ext2_bitmap_load(s, &s->inode_bits, group);
    if (err)
        return err;
    bit = ext2_bitmap_find(s, &s->inode_bits, first, end);
    if (bit >= end)
        return 1;
    err = ext2_bitmap_change(s, &s->inode_bits, bit, true);
    if (err)
        return err;
    g.free_inodes--;
    g.used_dirs += dir;
    s->free_inodes -= s->free_inodes > 0;
    *out = group * s->inodes_per_group + bit + 1;
    return ext2_group_write(s, group, &g);
}

static int take(struct ext2_super *s, uint32_t parent, bool dir, uint32_t *out)
{
    uint32_t group = (parent - 1) / s->inodes_per_group;
    int err = 1;

    if (dir)
        group = roomy_group(s, group);
    for (uint32_t n = 0; err == 1 && n < s->groups; n++) {
        err = take_in(s, group, dir, out);
        group = group + 1 < s->groups ? group + 1 : 0;
        sched_point();
    }
    return err == 1 ? -ENOSPC : err;
}

int ext2_inode_alloc(struct ext2_super *s, uint32_t parent, bool dir, uint32_t *out)
{
    int err;

    mutex_lock(&s->alloc);
    err = take(s, parent, dir, out);
    mutex_unlock(&s->alloc);
    return err;
}

/* [alloc] */
static int give_back(struct ext2_super *s, uint32_t ino, bool dir)
{
    uint32_t group = (ino - 1) / s->inodes_per_group, bit = (ino - 1) % s->inodes_per_group;
    struct ext2_raw_group g;
    int err = ext2_bitmap_load(s, &s->inode_bits, group);

    if (!err)
        err = ext2_group_read(s, group, &g);
    if (err)
        return err;
    if (!ext2_bitmap_test(&s->inode_bits, bit))
        return ext2_corrupt(s, "freeing what is not in use: inode", ino);
    err = ext2_freeze(s, &s->inode_bits, bit);
    if (!err)
        err = ext2_bitmap_change(s, &s->inode_bits, bit, false);
    if (err)
        return err;
    g.free_inodes++;
    g.used_dirs -= dir && g.used_dirs > 0;
    s->free_inodes++;
    return ext2_group_write(s, group, &g);
}

void ext2_inode_free(struct ext2_super *s, uint32_t ino, bool dir)
{
    mutex_lock(&s->alloc);
    (void)give_back(s, ino, dir);
    mutex_unlock(&s->alloc);
}
