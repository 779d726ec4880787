/*
 * The contents of files in ext2: the pager, length, fsync.
 *
 * Blocks of a page's size go straight between its frame and the disk, in runs. Smaller ones share
 * pages of the device's cache with metadata, so they go through that. Blocks are chosen when a page
 * is written out, up to the end of the file; until then a hole is zeros.
 */
#include "fs/disk/disk.h"
#include "fs/disk/ext2.h"
#include "libc/string.h"

static uint32_t blocks_in_page(const struct ext2_super *s)
{
    return PAGE_SIZE >> s->block_shift;
}

/* Whether blocks are pages. */
static bool is_direct(const struct ext2_super *s)
{
    return s->block_size == PAGE_SIZE;
}

static int transfer(struct ext2_super *s, enum block_op op, uint32_t block, void *const *pages,
                    unsigned count)
{
    return block_transfer(s->dev, op, (uint64_t)block << (s->block_shift - SECTOR_SHIFT), pages, 0,
                          count * PAGE_SIZE);
}

/* ---- Getting ---- */

/* How many pages of the run from one on lie behind each other on the disk, and where; 0: a hole. */
static int find_extent(struct ext2_node *n, const struct vm_run *run, unsigned from,
                       uint32_t *block, unsigned *count)
{
    uint32_t next;
    int err = ext2_map_find(n, run->index + from, block);

    for (*count = 1; !err && from + *count < run->count; ++*count) {
        err = ext2_map_find(n, run->index + from + *count, &next);
        if (err || next != (*block ? *block + *count : 0))
            break;
    }
    return *count > 1 ? 0 : err;
}

static int get_extent(struct ext2_node *n, struct vm_run *run, unsigned from, unsigned *count)
{
    uint32_t block;
    int err = find_extent(n, run, from, &block, count);

    if (err)
        return err;
    if (block) {
        err = transfer(n->super, BLOCK_READ, block, run->page + from, *count);
        if (err && *count > 1) {
            *count = 1;
            err = transfer(n->super, BLOCK_READ, block, run->page + from, 1);
        }
        return err;
    }
    for (unsigned i = 0; i < *count; i++)
        page_zero(run->page[from + i]);
    run->fresh |= from == 0;
    return 0;
}

static int get_pieces(struct ext2_node *n, uint32_t index, uint8_t *page)
{
    struct ext2_super *s = n->super;
    uint32_t count = blocks_in_page(s);
    int err = 0;

    for (uint32_t i = 0; i < count && !err; i++) {
        uint8_t *to = page + (i << s->block_shift);
        uint32_t block;

        if (index > UINT32_MAX / count)
            return -EIO;
        err = ext2_map_find(n, index * count + i, &block);
        if (!err && block)
            err = ext2_meta_read(s, block, 0, to, s->block_size);
        else if (!err)
            memset(to, 0, s->block_size);
    }
    return err;
}

static int ext2_get(struct vm_object *o, struct vm_run *run)
{
    struct ext2_node *n = vm_object_private(o);
    unsigned filled = 0, count;
    int err = 0;

    ext2_await_punch(n);
    while (filled < run->count && !err) {
        count = 1;
        if (is_direct(n->super))
            err = get_extent(n, run, filled, &count);
        else
            err = get_pieces(n, run->index + filled, run->page[filled]);
        filled += err ? 0 : count;
    }
    disk_clear_behind(o, run, filled);
    return filled ? (int)filled : err;
}

/* ---- Putting ---- */

/* Gives the page's blocks below size a place: block[] says where. */
static int place_page(struct ext2_node *n, uint32_t index, uint64_t size, uint32_t *block)
{
    struct ext2_super *s = n->super;
    uint32_t count = blocks_in_page(s);
    bool fresh, any = false;
    int err = 0;

    mutex_lock(&n->map);
    for (uint32_t i = 0; i < count && !err; i++) {
        uint64_t number = (uint64_t)index * count + i;

        block[i] = 0;
        if (number << s->block_shift >= size)
            break;
        err = ext2_map_make(n, (uint32_t)number, true, &block[i], &fresh);
        any |= fresh;
    }
    if (any && !err)
        err = ext2_map_write(n, size);
    mutex_unlock(&n->map);
    if (any)
        ext2_promise_end(n, count + 1);
    return err;
}

static int put_pieces(struct ext2_node *n, uint32_t index, uint64_t size, const uint8_t *page)
{
    struct ext2_super *s = n->super;
    uint32_t block[4] = {0};
    int err = place_page(n, index, size, block);

    for (uint32_t i = 0; i < blocks_in_page(s) && !err; i++)
        if (block[i])
            err = ext2_data_write(s, block[i], page + (i << s->block_shift));
    return err;
}

/* The pages from from on that lie behind each other are written together. */
static int put_extent(struct ext2_node *n, const struct vm_run *run, unsigned from, uint64_t size,
                      unsigned *count)
{
    uint32_t first, next;
    int err = place_page(n, run->index + from, size, &first);

    *count = 1;
    if (err || !first)
        return err;
    while (from + *count < run->count && !place_page(n, run->index + from + *count, size, &next) &&
           next == first + *count)
        ++*count;
    return transfer(n->super, BLOCK_WRITE, first, run->page + from, *count);
}

static int ext2_put(struct vm_object *o, const struct vm_run *run)
{
    struct ext2_node *n = vm_object_private(o);
    uint64_t size = vm_object_size(o);
    struct ext2_operation op;
    unsigned done = 0, count;
    int err = 0;

    ext2_begin(n->super, &op);
    while (done < run->count && !err) {
        count = 1;
        if (is_direct(n->super))
            err = put_extent(n, run, done, size, &count);
        else
            err = put_pieces(n, run->index + done, size, run->page[done]);
        done += err ? 0 : count;
    }
    ext2_end(n->super, &op);
    return done ? (int)done : err;
}

/* Whether all blocks of a page have their places: then it needs no promise, and nothing would end
 * one. */
static int has_place(struct ext2_node *n, uint32_t index, bool *has)
{
    uint32_t count = blocks_in_page(n->super), block = 1;
    int err = 0;

    mutex_lock(&n->map);
    for (uint32_t i = 0; i < count && block && !err; i++)
        err = ext2_map_find(n, index * count + i, &block);
    mutex_unlock(&n->map);
    *has = block != 0;
    return err;
}

static int ext2_reserve(struct vm_object *o, uint32_t index)
{
    struct ext2_node *n = vm_object_private(o);
    bool has;
    int err;

    if ((uint64_t)index << PAGE_SHIFT >= ext2_max_size(n->super))
        return -EIO;
    err = has_place(n, index, &has);
    if (err || has)
        return err;
    return ext2_promise(n);
}

/* ---- The name that maps show ---- */

static struct inode *inode_of(struct ext2_node *n)
{
    struct inode *i;

    mutex_lock(&n->super->cached);
    i = n->listed ? n->inode : NULL;
    if (i)
        inode_ref(i);
    mutex_unlock(&n->super->cached);
    return i;
}

static void ext2_describe(struct vm_object *o, char *buf, size_t size, uint32_t *ino, uint32_t *dev)
{
    struct ext2_node *n = vm_object_private(o);
    struct inode *i = inode_of(n);

    *ino = n->ino;
    *dev = n->super->sb->dev;
    buf[0] = '\0';
    if (i)
        inode_path(i, buf, size);
    if (buf[0] == '\0')
        strlcpy(buf, n->path ? n->path : "", size);
    if (i)
        inode_unref(i);
    else
        strlcat(buf, " (deleted)", size);
}

/* Of a file without a name only the data count. */
static int ext2_object_sync(struct vm_object *o)
{
    struct inode *i = inode_of(vm_object_private(o));
    int err = i ? ext2_fsync(i) : vm_object_sync(o);

    if (i)
        inode_unref(i);
    return err;
}

static int ext2_mmap(struct file *f, struct vm_mapping *m)
{
    disk_keep_path(f->inode, &ext2_node(f->inode)->path);
    return object_file_ops.mmap(f, m);
}

static void ext2_object_destroy(struct vm_object *o)
{
    ext2_node_free(vm_object_private(o));
}

static void ext2_written(struct vm_object *o)
{
    struct ext2_node *n = vm_object_private(o);

    mapped_write_note(&n->written);
}

static void ext2_settle(struct inode *i)
{
    inode_settle_from(i, &ext2_node(i)->written);
}

const struct pager ext2_pager = {
    .name = "ext2",
    .written = ext2_written,
    .get = ext2_get,
    .put = ext2_put,
    .sync = ext2_object_sync,
    .reserve = ext2_reserve,
    .ahead = VM_RUN_MAX,
    .destroy = ext2_object_destroy,
    .describe = ext2_describe,
};

/* ---- Length, sync ---- */

static int ext2_truncate(struct inode *i, uint64_t size)
{
    struct ext2_node *n = ext2_node(i);
    struct ext2_super *s = n->super;
    uint64_t keep = (size + s->block_size - 1) >> s->block_shift;
    bool shrinks = size < vm_object_size(i->object);
    struct ext2_operation op;
    int err;

    if (size > ext2_max_size(s))
        return -EFBIG;
    err = vm_object_resize(i->object, size);
    if (err)
        return err;
    ext2_begin(s, &op);
    if (shrinks) {
        mutex_lock(&n->map);
        ext2_map_cut(n, (uint32_t)keep, UINT64_MAX);
        mutex_unlock(&n->map);
        if (size == 0)
            ext2_promise_end(n, UINT32_MAX);
    }
    err = ext2_inode_write(i);
    ext2_end(s, &op);
    return err;
}

int ext2_fsync(struct inode *i)
{
    struct ext2_super *s = ext2_super(i);
    int err = i->object ? vm_object_sync(i->object) : 0, written = ext2_inode_write(i);

    if (!err)
        err = written;
    mutex_lock(&s->commit);
    written = ext2_log_commit(s);
    mutex_unlock(&s->commit);
    return err ? err : written;
}

uint64_t ext2_blocks(const struct inode *i)
{
    const struct ext2_node *n = ext2_node(i);

    return n->sectors;
}

struct file_ops ext2_file_ops;

void ext2_file_init(void)
{
    ext2_file_ops = object_file_ops;
    ext2_file_ops.mmap = ext2_mmap;
}

static int ext2_place(struct inode *i, uint32_t page, uint64_t *sector)
{
    struct ext2_node *n = ext2_node(i);
    unsigned shift = PAGE_SHIFT - n->super->block_shift;
    uint32_t first = 0, block;
    int err = 0;

    for (uint32_t b = 0; b < 1u << shift && !err; b++) {
        err = ext2_map_find(n, (page << shift) + b, &block);
        first = b ? first : block;
        if (!err && (!block || block != first + b))
            err = -EINVAL;
    }
    *sector = (uint64_t)first << (n->super->block_shift - SECTOR_SHIFT);
    return err;
}

const struct inode_ops ext2_file_inode_ops = {
    .settle = ext2_settle,
    .place = ext2_place,
    .extent = ext2_extent,
    .punch = ext2_punch,
    .blocks = ext2_blocks,
    .truncate = ext2_truncate,
    .setattr = ext2_setattr,
    .load_xattrs = ext2_attr_load,
    .store_xattrs = ext2_attr_store,
    .fsync = ext2_fsync,
    .destroy = ext2_inode_destroy,
};
