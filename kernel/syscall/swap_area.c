/*
 * Where the slots of a swap area are. On a block device slot n is its page n. In a file the file
 * system tells once, at swapon, where each page lies; after that neither the file nor its page
 * cache is asked, so that swapping needs no memory. The file cannot be written to or cut meanwhile.
 */
#include "kernel/syscall/swap_area.h"
#include "fs/block/file.h"
#include "libc/errno.h"
#include "libc/string.h"

#define SECTORS_PER_PAGE (PAGE_SIZE / SECTOR_SIZE)

/* ---- Transfers ---- */

static struct swap_extent *extent(const struct swap_area *a, unsigned n)
{
    return &a->extents[n / EXTENTS_PER_CHUNK][n % EXTENTS_PER_CHUNK];
}

/* The extent of a slot that has one. */
static const struct swap_extent *extent_of(const struct swap_area *a, uint32_t slot)
{
    unsigned low = 0, high = a->count;

    while (high - low > 1) {
        unsigned middle = (low + high) / 2;
        if (extent(a, middle)->slot <= slot)
            low = middle;
        else
            high = middle;
    }
    return extent(a, low);
}

/* Where a slot is, and in *row how many of n slots from it on lie in a row. */
static uint64_t locate(const struct swap_area *a, uint32_t slot, unsigned n, unsigned *row)
{
    const struct swap_extent *e;
    uint32_t left;

    *row = n;
    if (!a->file)
        return (uint64_t)slot * SECTORS_PER_PAGE;
    e = extent_of(a, slot);
    left = e->slot + e->count - slot;
    *row = n < left ? n : left;
    return e->sector + (uint64_t)(slot - e->slot) * SECTORS_PER_PAGE;
}

/* How many pages were moved, counted from the first, or the error of the first. */
static int move(struct swap_area *a, enum block_op op, uint32_t slot, unsigned n,
                void *const *pages)
{
    unsigned done = 0, row;
    int err = 0;

    while (done < n && !err) {
        uint64_t sector = locate(a, slot + done, n - done, &row);
        err = block_transfer(a->disk, op, sector, pages + done, 0, row * PAGE_SIZE);
        done += err ? 0 : row;
    }
    return done ? (int)done : err;
}

static int area_read(struct swap_device *d, uint32_t slot, unsigned n, void *const *pages)
{
    int got = move(d->private, BLOCK_READ, slot, n, pages);

    return got == (int)n ? 0 : got < 0 ? got : -EIO;
}

static int area_write(struct swap_device *d, uint32_t slot, unsigned n, void *const *pages)
{
    return move(d->private, BLOCK_WRITE, slot, n, pages);
}

static void area_forget(struct swap_device *d, uint32_t slot)
{
    const struct swap_area *a = d->private;
    unsigned row;

    block_discard_page(a->disk, locate(a, slot, 1, &row));
}

/* ---- The map of a file ---- */

/* Appends a page, which may go on where the last one ended. -EFBIG: too many pieces. */
static int add_page(struct swap_area *a, uint32_t slot, uint64_t sector)
{
    struct swap_extent *last = a->count ? extent(a, a->count - 1) : NULL;
    unsigned chunk = a->count / EXTENTS_PER_CHUNK;

    if (last && last->slot + last->count == slot &&
        last->sector + (uint64_t)last->count * SECTORS_PER_PAGE == sector) {
        last->count++;
        return 0;
    }
    if (chunk == SWAP_EXTENT_CHUNKS)
        return -EFBIG;
    if (!a->extents[chunk])
        a->extents[chunk] = kalloc();
    if (!a->extents[chunk])
        return -ENOMEM;
    *extent(a, a->count++) = (struct swap_extent){slot, 1, sector};
    return 0;
}

/* Pages in pieces, such as file systems of small blocks have now and then, are left out; a hole is
 * an error, as on Linux. */
static int map_file(struct swap_area *a)
{
    struct inode *i = a->file->inode;
    uint64_t pages = swap_area_pages(a), sector;
    uint32_t left_out = 0;
    int err = 0;

    if (pages == 0 || pages > VM_SWAP_SLOTS_MAX)
        return -EINVAL;
    for (uint32_t page = 0; page < pages && !err; page++) {
        err = i->ops->place(i, page, &sector);
        if (!err)
            err = add_page(a, page, sector);
        else if (err == -EINVAL && page > 0 && ++left_out <= pages / 8)
            err = 0;
        sched_give_way();
    }
    return err;
}

void swap_area_spoil_gaps(struct swap_area *a, uint32_t slots)
{
    uint32_t slot = 0;

    for (unsigned n = 0; n < a->count && slot < slots; n++) {
        const struct swap_extent *e = extent(a, n);
        for (; slot < e->slot && slot < slots; slot++)
            vm_swap_spoil(&a->device, slot);
        slot = e->slot + e->count;
    }
    for (; a->file && slot < slots; slot++)
        vm_swap_spoil(&a->device, slot);
}

/* ---- Opening, closing ---- */

uint64_t swap_area_pages(const struct swap_area *a)
{
    uint64_t bytes = a->file ? vm_object_size(a->file->inode->object) : block_bytes(a->disk);

    return bytes >> PAGE_SHIFT;
}

int swap_area_header(struct swap_area *a, enum block_op op, void *page)
{
    int moved = move(a, op, 0, 1, &page);

    return moved < 0 ? moved : 0;
}

struct swap_area *swap_area_find(const struct file *f)
{
    const struct block_device *disk = block_of_file(f);
    struct vm_swap_info info;

    for (unsigned n = 0; vm_swap_info(n, &info); n++) {
        struct swap_area *a = info.device->private;
        if (a->file ? a->file->inode == f->inode : a->disk == disk)
            return a;
    }
    return NULL;
}

static struct swap_area *area_new(const char *type)
{
    struct swap_area *a = kzalloc(sizeof(*a));

    if (a)
        a->device = (struct swap_device){.read = area_read,
                                         .write = area_write,
                                         .forget = area_forget,
                                         .private = a,
                                         .name = a->name,
                                         .type = type};
    return a;
}

void swap_area_close(struct swap_area *a)
{
    if (a->disk && !a->file)
        block_close(a->disk, a);
    else if (a->disk)
        block_put(a->disk);
    if (a->file)
        file_put(a->file);
    for (unsigned i = 0; i < SWAP_EXTENT_CHUNKS; i++) {
        if (a->extents[i])
            kfree(a->extents[i]);
    }
    kmfree(a);
}

/* What was written to the device by its name is there, and its cache does not hold it twice. */
int swap_area_of(struct block_device *disk, struct swap_area **out)
{
    struct swap_area *a = area_new("partition");
    int err = a ? block_open(disk, true, a) : -ENOMEM;

    if (err) {
        kmfree(a);
        return err;
    }
    a->disk = disk;
    strlcpy(a->name, "/dev/", sizeof(a->name));
    strlcat(a->name, disk->name, sizeof(a->name));
    err = block_sync(disk);
    if (err) {
        swap_area_close(a);
        return err;
    }
    block_drop_cache(disk);
    *out = a;
    return 0;
}

static int area_in_file(struct file *f, struct swap_area **out)
{
    struct inode *i = f->inode;
    struct swap_area *a;
    const char *path;
    char *buf;
    int err;

    if (!S_ISREG(i->mode) || !i->object || !i->ops || !i->ops->place)
        return -EINVAL;
    if (swap_area_find(f))
        return -EBUSY;
    err = file_deny_write(f);
    if (!err && i->ops->fsync)
        err = i->ops->fsync(i);
    if (err)
        return err;
    a = area_new("file\t");
    buf = kmalloc(PATH_MAX);
    err = a && buf ? 0 : -ENOMEM;
    if (!err) {
        path = path_print(&(struct path){f->mount, f->dentry}, buf, PATH_MAX);
        strlcpy(a->name, path ? path : "?", sizeof(a->name));
        file_ref(f);
        a->file = f;
        a->disk = block_find(i->sb->dev);
        err = a->disk ? map_file(a) : -EINVAL;
    }
    kmfree(buf);
    if (err && a)
        swap_area_close(a);
    if (!err) {
        vm_object_drop(i->object);
        file_put(f);
        *out = a;
    }
    return err;
}

int swap_area_open(struct file *f, struct swap_area **out)
{
    struct block_device *disk = block_of_file(f);
    int err = disk ? swap_area_of(disk, out) : area_in_file(f, out);

    if (!err && disk)
        file_put(f);
    return err;
}
