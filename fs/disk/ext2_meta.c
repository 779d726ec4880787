/*
 * Metadata of ext2: parts of blocks, read and written through the page cache of the device or,
 * where there is a log, beside it (ext2_change.c).
 *
 * Nothing outside the file system, and nothing across the end of a block, is ever touched, whatever
 * the disk said where to look.
 */
#include "fs/disk/disk.h"
#include "fs/disk/ext2.h"

int ext2_corrupt(struct ext2_super *s, const char *what, uint32_t where)
{
    return disk_corrupt(ext2_name(s), s->dev, &s->complaints, what, where);
}

static int check(struct ext2_super *s, uint32_t block, uint32_t at, uint32_t len)
{
    KASSERT(len <= s->block_size && at <= s->block_size - len);
    return block < s->blocks ? 0 : ext2_corrupt(s, "no such block:", block);
}

static uint64_t offset_of(const struct ext2_super *s, uint32_t block, uint32_t at)
{
    return ((uint64_t)block << s->block_shift) + at;
}

static int write_cached(struct ext2_super *s, uint32_t block, uint32_t at, const void *buf,
                        uint32_t len)
{
    long n = vm_object_write_kernel(s->cache, offset_of(s, block, at), buf, len);

    if (n == (long)len)
        return 0;
    return n == -ENOMEM ? -ENOMEM : -EIO;
}

int ext2_meta_read(struct ext2_super *s, uint32_t block, uint32_t at, void *buf, uint32_t len)
{
    int err = check(s, block, at, len);

    if (err || ext2_change_read(s, block, at, buf, len))
        return err;
    return disk_read(s->cache, offset_of(s, block, at), buf, len);
}

int ext2_meta_write(struct ext2_super *s, uint32_t block, uint32_t at, const void *buf,
                    uint32_t len)
{
    int err = check(s, block, at, len);

    if (err)
        return err;
    return s->log ? ext2_change_write(s, block, at, buf, len)
                  : write_cached(s, block, at, buf, len);
}

int ext2_data_write(struct ext2_super *s, uint32_t block, const void *buf)
{
    int err = check(s, block, 0, s->block_size);

    return err ? err : write_cached(s, block, 0, buf, s->block_size);
}

int ext2_meta_clear(struct ext2_super *s, uint32_t block)
{
    uint32_t page = (uint32_t)(offset_of(s, block, 0) >> PAGE_SHIFT);
    void *zeros = kalloc_zeroed();
    int err = zeros ? ext2_meta_write(s, block, 0, zeros, s->block_size) : -ENOMEM;

    if (zeros)
        kfree(zeros);
    return err || s->log ? err : vm_object_sync_range(s->cache, page, page + 1);
}

/* ---- Group descriptors ---- */

static uint32_t group_place(const struct ext2_super *s, uint32_t group, uint32_t *at)
{
    uint32_t in_block = s->block_size / s->desc_size;

    KASSERT(group < s->groups);
    *at = group % in_block * s->desc_size;
    return s->first_data + 1 + group / in_block;
}

int ext2_group_read(struct ext2_super *s, uint32_t group, struct ext2_raw_group *out)
{
    uint32_t at, block = group_place(s, group, &at);

    return ext2_meta_read(s, block, at, out, sizeof(*out));
}

int ext2_group_write(struct ext2_super *s, uint32_t group, const struct ext2_raw_group *g)
{
    uint32_t at, block = group_place(s, group, &at);

    return ext2_meta_write(s, block, at, g, sizeof(*g));
}
