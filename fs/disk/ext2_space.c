/*
 * Where a file on ext2 has data and where holes, and making holes.
 *
 * A page in memory that was written to and has no place yet is data, too. While a hole is punched
 * no page of the file is read in: the pages of the range go first, then the blocks, and nobody can
 * bring back in between what is about to go.
 */
#include "fs/disk/ext2.h"

#define BLOCKS_MAX 65536u /* of one extent that is told at once */

/* ---- Extents ---- */

/* The first block from *index on that has a place, with that. 1, 0: there is none before end,
 * -errno. */
static int next_block(struct ext2_node *n, uint64_t end, uint32_t *index, uint32_t *block)
{
    int found = n->flags & EXT4_FL_EXTENTS ? ext4_extent_next(n, index, block)
                                           : ext2_map_next(n, end, index, block);

    return found == 1 && *index >= end ? 0 : found;
}

/* How many blocks from index on lie behind each other, the first at block. */
static uint32_t run_length(struct ext2_node *n, uint64_t end, uint32_t index, uint32_t block)
{
    uint32_t count = 1, next;

    while (count < BLOCKS_MAX && index + count < end && !ext2_map_find(n, index + count, &next) &&
           next == block + count) {
        count++;
        if (count % 64 == 0)
            sched_point();
    }
    return count;
}

int ext2_extent(struct inode *i, uint64_t at, struct file_extent *out)
{
    struct ext2_node *n = ext2_node(i);
    unsigned shift = n->super->block_shift;
    uint64_t size = vm_object_size(i->object), end = (size + n->super->block_size - 1) >> shift;
    uint32_t block = 0, first = (uint32_t)(at >> shift), index = first;
    uint32_t page = (uint32_t)(at >> PAGE_SHIFT);
    uint64_t written = UINT64_MAX;
    int found;

    if (at >= size)
        return 0;
    found = next_block(n, end, &index, &block);
    if (found < 0)
        return found;
    if (found == 0)
        index = (uint32_t)end;
    if (index > first && vm_object_next_dirty(i->object, &page) &&
        (uint64_t)page << PAGE_SHIFT < size)
        written = (uint64_t)page << (PAGE_SHIFT - shift);
    if (written < first)
        written = first;
    if (written < index) {
        uint64_t stop = ((uint64_t)page + 1) << (PAGE_SHIFT - shift);

        stop = stop < index ? stop : index;
        *out = (struct file_extent){written << shift, (stop - written) << shift, 0, true};
        return 1;
    }
    if (found)
        *out = (struct file_extent){(uint64_t)index << shift,
                                    (uint64_t)run_length(n, end, index, block) << shift,
                                    (uint64_t)block << shift, false};
    return found;
}

/* ---- Holes ---- */

void ext2_await_punch(struct ext2_node *n)
{
    if (!__atomic_load_n(&n->punching, __ATOMIC_ACQUIRE))
        return;
    mutex_lock(&n->punch);
    mutex_unlock(&n->punch);
}

/* Whether [from, from + len), within a page, reads as zeros already and needs no place for it. */
static bool is_hole(struct inode *i, uint64_t from, uint32_t len)
{
    struct file_extent e;
    int found = ext2_extent(i, from, &e);

    return found == 0 || (found == 1 && e.at >= from + len);
}

/* Zeros over a part of a page. */
static int clear(struct inode *i, uint64_t from, uint64_t end)
{
    void *zeros;
    long done;

    if (from >= end || is_hole(i, from, (uint32_t)(end - from)))
        return 0;
    zeros = kalloc_zeroed();
    if (!zeros)
        return -ENOMEM;
    done = vm_object_write_kernel(i->object, from, zeros, (size_t)(end - from));
    kfree(zeros);
    return done < 0 ? (int)done : done == (long)(end - from) ? 0 : -EIO;
}

/* The pages of [first, end) and the blocks behind them. */
static void drop_pages(struct inode *i, uint64_t first, uint64_t end)
{
    struct ext2_node *n = ext2_node(i);
    unsigned shift = PAGE_SHIFT - n->super->block_shift;
    struct ext2_operation op;

    mutex_lock(&n->punch);
    __atomic_store_n(&n->punching, true, __ATOMIC_SEQ_CST);
    vm_object_forget(i->object, (uint32_t)first, end);
    ext2_begin(n->super, &op);
    mutex_lock(&n->map);
    ext2_map_cut(n, (uint32_t)(first << shift), end << shift);
    mutex_unlock(&n->map);
    (void)ext2_inode_write(i);
    ext2_end(n->super, &op);
    __atomic_store_n(&n->punching, false, __ATOMIC_SEQ_CST);
    mutex_unlock(&n->punch);
}

int ext2_punch(struct inode *i, uint64_t from, uint64_t len)
{
    uint64_t size = vm_object_size(i->object), end = from + len < size ? from + len : size;
    uint64_t first = (from + PAGE_SIZE - 1) >> PAGE_SHIFT, last = end >> PAGE_SHIFT;
    int err = 0;

    if (from >= size)
        return 0;
    if (end == size && from + len >= ((size + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1)))
        last = (size + PAGE_SIZE - 1) >> PAGE_SHIFT; /* what follows in the last page is nothing */
    if (first > last)
        return clear(i, from, end);
    err = clear(i, from, first << PAGE_SHIFT < end ? first << PAGE_SHIFT : end);
    if (!err && last << PAGE_SHIFT < end)
        err = clear(i, last << PAGE_SHIFT > from ? last << PAGE_SHIFT : from, end);
    if (!err && first < last)
        drop_pages(i, first, last);
    return err ? err : ext2_inode_write(i);
}
