/*
 * Where the blocks of a file are on ext4: a tree of extents, whose root is in the inode. Only
 * reading.
 *
 * A node has a head and then entries in the order of the file: extents (a run of blocks) in a leaf,
 * else children. What the disk says is believed as far as no walk can get lost: the depth falls by
 * one at each step, and every place is checked before it is read.
 */
#include "fs/disk/ext2.h"
#include "libc/string.h"

#define MAGIC          0xf30a
#define DEPTH_MAX      5u
#define UNWRITTEN_FROM 32768u /* lengths above: the place is taken, and reads as zeros */

struct head {
    uint16_t magic, entries, max, depth;
    uint32_t generation;
};

/* A child and an extent have the first block of the file in the same place. */
struct entry {
    uint32_t first;
    union {
        struct {
            uint32_t block;
            uint16_t block_high, unused;
        } child;
        struct {
            uint16_t length, block_high;
            uint32_t block;
        } extent;
    };
};
_Static_assert(sizeof(struct head) == 12 && sizeof(struct entry) == 12, "extents on disk");

/* A node of the tree: in the inode where block is 0. */
struct node {
    struct ext2_node *file;
    uint32_t block;
    struct head head;
};

static uint32_t room_of(const struct node *t)
{
    return t->block ? t->file->super->block_size : sizeof(t->file->block);
}

static int read_part(const struct node *t, uint32_t at, void *buf, uint32_t len)
{
    if (t->block)
        return ext2_meta_read(t->file->super, t->block, at, buf, len);
    memcpy(buf, (const uint8_t *)t->file->block + at, len);
    return 0;
}

static int corrupt(const struct ext2_node *n)
{
    return ext2_corrupt(n->super, "bad extents of inode", n->ino);
}

/* depth: what it must be, or DEPTH_MAX + 1 for that of the root. */
static int open_node(struct node *t, uint32_t depth)
{
    int err = read_part(t, 0, &t->head, sizeof(t->head));

    if (err)
        return err;
    if (t->head.magic != MAGIC || t->head.depth > DEPTH_MAX ||
        (depth <= DEPTH_MAX && t->head.depth != depth) ||
        t->head.entries > (room_of(t) - sizeof(t->head)) / sizeof(struct entry))
        return corrupt(t->file);
    return 0;
}

static int read_entry(const struct node *t, uint32_t n, struct entry *e)
{
    return read_part(t, sizeof(struct head) + n * sizeof(*e), e, sizeof(*e));
}

/* The last entry that begins at index or before it: 1, or 0 when there is none. *next: where the
 * one after it begins, if there is one. */
static int search(const struct node *t, uint32_t index, struct entry *e, uint32_t *next)
{
    uint32_t low = 0, high = t->head.entries;
    int err = 0;

    while (low < high && !err) {
        uint32_t middle = (low + high) / 2;

        err = read_entry(t, middle, e);
        if (e->first <= index) {
            low = middle + 1;
        } else {
            high = middle;
            *next = e->first;
        }
    }
    if (err || low == 0)
        return err;
    err = read_entry(t, low - 1, e);
    return err ? err : 1;
}

static int take_extent(const struct ext2_node *n, const struct entry *e, uint32_t index,
                       uint32_t *out)
{
    uint32_t within = index - e->first, length = e->extent.length;

    if (length > UNWRITTEN_FROM || within >= length)
        return 0;
    if (e->extent.block_high || !ext2_is_block(n->super, e->extent.block) ||
        !ext2_is_block(n->super, e->extent.block + within))
        return corrupt(n);
    *out = e->extent.block + within;
    return 0;
}

/* The extent that begins at index or before it: 1, or 0. *next: where the one after it begins, or
 * UINT32_MAX. */
static int find_extent(struct ext2_node *n, uint32_t index, struct entry *e, uint32_t *next)
{
    struct node t = {.file = n};
    int found, err = open_node(&t, DEPTH_MAX + 1);

    *next = UINT32_MAX;
    while (!err) {
        found = search(&t, index, e, next);
        if (found != 1 || t.head.depth == 0)
            return found;
        if (e->child.block_high || !ext2_is_block(n->super, e->child.block))
            return corrupt(n);
        t.block = e->child.block;
        err = open_node(&t, t.head.depth - 1u);
    }
    return err;
}

int ext4_extent_find(struct ext2_node *n, uint32_t index, uint32_t *out)
{
    struct entry e;
    uint32_t next;
    int found = find_extent(n, index, &e, &next);

    *out = 0;
    return found == 1 ? take_extent(n, &e, index, out) : found;
}

int ext4_extent_next(struct ext2_node *n, uint32_t *index, uint32_t *block)
{
    for (;;) {
        struct entry e;
        uint32_t next;
        int found = find_extent(n, *index, &e, &next);

        *block = 0;
        if (found == 1)
            found = take_extent(n, &e, *index, block);
        if (found || *block)
            return *block ? 1 : found;
        if (next == UINT32_MAX || next <= *index)
            return 0;
        *index = next;
        sched_point();
    }
}
