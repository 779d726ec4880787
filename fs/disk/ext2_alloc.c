/*
 * The bitmaps of ext2, a group at a time in memory, written through to the page cache of the
 * device.
 *
 * What is freed is not used again before the next commit: a power cut then never finds one block in
 * two files, or one inode under an old name and a new one. Which those are is kept in struct
 * ext2_frozen, one for each group in which something was freed since. All of it under super->alloc.
 */
#include "fs/disk/ext2.h"
#include "libc/string.h"

struct ext2_frozen {
    struct list link;
    const struct ext2_bitmap *kind;
    uint32_t group, count;
    bool aging;    /* a commit that is under way tells the disk */
    uint8_t *bits; /* a frame */
};

bool ext2_bitmap_test(const struct ext2_bitmap *b, uint32_t bit)
{
    return b->bits[bit / 8] >> (bit % 8) & 1;
}

static uint32_t bitmap_block(const struct ext2_super *s, const struct ext2_bitmap *b,
                             const struct ext2_raw_group *g)
{
    return b == &s->block_bits ? g->block_bitmap : g->inode_bitmap;
}

int ext2_bitmap_load(struct ext2_super *s, struct ext2_bitmap *b, uint32_t group)
{
    struct ext2_raw_group g;
    int err;

    if (b->valid && b->group == group)
        return 0;
    b->valid = false;
    err = ext2_group_read(s, group, &g);
    if (!err && !ext2_is_block(s, bitmap_block(s, b, &g)))
        err = ext2_corrupt(s, "bad bitmap of group", group);
    if (!err)
        err = ext2_meta_read(s, bitmap_block(s, b, &g), 0, b->bits, s->block_size);
    b->valid = !err;
    b->group = group;
    return err;
}

int ext2_bitmap_change(struct ext2_super *s, struct ext2_bitmap *b, uint32_t bit, bool set)
{
    uint8_t byte = b->bits[bit / 8], mask = (uint8_t)(1u << (bit % 8));
    struct ext2_raw_group g;
    int err = ext2_group_read(s, b->group, &g);

    if (err)
        return err;
    byte = set ? byte | mask : byte & (uint8_t)~mask;
    err = ext2_meta_write(s, bitmap_block(s, b, &g), bit / 8, &byte, 1);
    if (!err)
        b->bits[bit / 8] = byte;
    return err;
}

/* There is at most one of each age. */
static struct ext2_frozen *find_frozen(struct ext2_super *s, const struct ext2_bitmap *kind,
                                       uint32_t group, bool aging)
{
    struct ext2_frozen *f;

    list_for_each_entry (f, &s->frozen, link)
        if (f->kind == kind && f->group == group && f->aging == aging)
            return f;
    return NULL;
}

static struct ext2_frozen *frozen_of(struct ext2_super *s, const struct ext2_bitmap *b, bool aging)
{
    return find_frozen(s, b, b->group, aging);
}

static struct ext2_frozen *new_frozen(struct ext2_super *s, const struct ext2_bitmap *b)
{
    struct ext2_frozen *f = kzalloc(sizeof(*f));

    if (!f)
        return NULL;
    f->kind = b;
    f->group = b->group;
    f->bits = kalloc_zeroed();
    if (!f->bits) {
        kmfree(f);
        return NULL;
    }
    list_add(&s->frozen, &f->link);
    return f;
}

int ext2_freeze(struct ext2_super *s, struct ext2_bitmap *b, uint32_t bit)
{
    struct ext2_frozen *f = frozen_of(s, b, false);

    if (!f)
        f = new_frozen(s, b);
    if (!f)
        return -ENOMEM;
    f->bits[bit / 8] |= (uint8_t)(1u << (bit % 8));
    f->count++;
    ++*(b == &s->block_bits ? &s->frozen_blocks : &s->frozen_inodes);
    return 0;
}

static void free_frozen(struct ext2_frozen *f)
{
    list_remove(&f->link);
    kfree(f->bits);
    kmfree(f);
}

void ext2_age(struct ext2_super *s)
{
    struct ext2_frozen *f, *next, *old;

    list_for_each_entry_safe (f, next, &s->frozen, link) {
        old = f->aging ? NULL : find_frozen(s, f->kind, f->group, true);
        f->aging = true;
        if (!old)
            continue;
        for (uint32_t i = 0; i < s->block_size; i++)
            old->bits[i] |= f->bits[i];
        old->count += f->count;
        free_frozen(f);
    }
}

void ext2_thaw(struct ext2_super *s, bool all)
{
    struct ext2_frozen *f, *next;

    list_for_each_entry_safe (f, next, &s->frozen, link) {
        if (!f->aging && !all)
            continue;
        *(f->kind == &s->block_bits ? &s->frozen_blocks : &s->frozen_inodes) -= f->count;
        free_frozen(f);
    }
}

uint32_t ext2_bitmap_find(struct ext2_super *s, struct ext2_bitmap *b, uint32_t from, uint32_t end)
{
    const struct ext2_frozen *young = frozen_of(s, b, false), *old = frozen_of(s, b, true);

    while (from < end) {
        uint8_t taken = b->bits[from / 8];

        taken |= young ? young->bits[from / 8] : 0;
        taken |= old ? old->bits[from / 8] : 0;
        if (taken == 0xff)
            from = (from | 7) + 1;
        else if (taken >> (from % 8) & 1)
            from++;
        else
            return from;
    }
    return end;
}
