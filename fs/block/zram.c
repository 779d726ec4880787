/*
 * /dev/zram0: a disk in compressed memory, as Linux has it, mostly for swapping. Sized, bounded and
 * emptied by its files in /sys/block/zram0, which zramctl(8) uses, or by the boot option
 * zram=SIZE: N with K, M or G behind it, or a part of RAM in %.
 *
 * Without a size it has no medium, and is in no list. It loses its size only while nobody has it
 * open.
 */
#include "fs/block/zram.h"
#include "fs/block/internal.h"
#include "fs/sys/sysfs.h"
#include "kernel/base/boot.h"
#include "kernel/base/init.h"
#include "kernel/base/log.h"
#include "libc/ctype.h"
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/vm.h"
#include "mm/zram.h"

#define SECTORS_PER_PAGE (PAGE_SIZE / SECTOR_SIZE)

static struct zram_disk {
    struct block_queue queue;
    struct mutex lock;  /* held over transfers */
    struct zram *store; /* [lock] NULL: no size. Stays for who has the device for himself */
    uint64_t limit;     /* [lock] mem_limit, for the next store too */
} disk;

/* ---- Transfers ---- */

static int move_page(struct zram *z, uint8_t op, uint32_t index, void *page)
{
    return op == BLOCK_READ ? zram_read(z, index, page) : zram_write(z, index, page);
}

/* Blocks are pages, so a transfer is whole pages. */
static int zram_move(struct block_queue *q, const struct block_io *io)
{
    uint32_t index = (uint32_t)(io->at / SECTORS_PER_PAGE), first = io->offset >> PAGE_SHIFT;
    int err;

    (void)q;
    mutex_lock(&disk.lock);
    err = disk.store ? 0 : -EIO;
    for (uint32_t i = 0; i < io->bytes >> PAGE_SHIFT && !err; i++) {
        err = move_page(disk.store, io->op, index + i, io->pages[first + i]);
        sched_point(); /* a page is up to 100,000 instructions */
    }
    mutex_unlock(&disk.lock);
    return err;
}

static void zram_discard(struct block_queue *q, uint64_t sector)
{
    (void)q;
    zram_forget(disk.store, (uint32_t)(sector / SECTORS_PER_PAGE));
}

static const struct block_driver zram_driver = {
    .name = "zram", .move = zram_move, .discard = zram_discard};

/* ---- Size ---- */

static uint32_t clamp_limit(uint64_t limit)
{
    return limit > UINT32_MAX ? UINT32_MAX : (uint32_t)limit;
}

/* [lock] The device with this store in place of what it had. */
static void replace_store(struct zram *z, uint32_t pages)
{
    struct zram *old = disk.store;

    disk.queue.whole.sectors = (uint64_t)pages * SECTORS_PER_PAGE;
    disk.store = z;
    if (z)
        zram_set_limit(z, clamp_limit(disk.limit));
    if (old)
        zram_destroy(old);
}

static int set_size(uint64_t bytes)
{
    uint64_t pages = (bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
    struct zram *z;
    int err = -EBUSY;

    if (!pages || pages > ZRAM_PAGES_MAX)
        return -EINVAL;
    mutex_lock(&disk.lock);
    if (!disk.store) {
        z = zram_create((uint32_t)pages);
        err = z ? 0 : -ENOMEM;
        if (z)
            replace_store(z, (uint32_t)pages);
    }
    mutex_unlock(&disk.lock);
    return err ? err : device_resized(&disk.queue.whole);
}

static int reset(void)
{
    struct block_device *dev = &disk.queue.whole;
    int err = block_open(dev, false, &disk); /* nobody else has it for himself */

    if (err)
        return err;
    mutex_lock(&disk.lock);
    err = dev->openers > 1 ? -EBUSY : 0;
    if (!err) {
        disk.limit = 0;
        replace_store(NULL, 0);
    }
    mutex_unlock(&disk.lock);
    if (!err)
        err = device_resized(dev);
    block_close(dev, &disk);
    return err;
}

/* N, or N with K, M or G behind it; an end of line may follow. */
static int parse_bytes(const char *s, uint64_t *out)
{
    static const char units[] = "kmg";
    uint64_t n = 0;
    const char *unit;

    if (!isdigit(*s))
        return -EINVAL;
    for (; isdigit(*s); s++) {
        if (n >> 40)
            return -EINVAL;
        n = n * 10 + (uint64_t)(*s - '0');
    }
    unit = *s ? strchr(units, tolower(*s)) : NULL;
    if (unit) {
        n <<= 10 * (unit - units + 1);
        s++;
    }
    if (*s && strcmp(s, "\n") != 0)
        return -EINVAL;
    *out = n;
    return 0;
}

/* ---- Files ---- */

static int show_disksize(struct text *t, void *arg)
{
    (void)arg;
    text_printf(t, "%llu\n", (unsigned long long)block_bytes(&disk.queue.whole));
    return 0;
}

static int store_disksize(const char *text, size_t len, void *arg)
{
    uint64_t bytes;
    int err = parse_bytes(text, &bytes);

    (void)len, (void)arg;
    return err ? err : set_size(bytes);
}

static int show_initstate(struct text *t, void *arg)
{
    (void)arg;
    text_printf(t, "%u\n", disk.store != NULL);
    return 0;
}

static int store_reset(const char *text, size_t len, void *arg)
{
    uint64_t n;
    int err = parse_bytes(text, &n);

    (void)len, (void)arg;
    return err ? err : n ? reset() : -EINVAL;
}

static int show_algorithm(struct text *t, void *arg)
{
    (void)arg;
    text_printf(t, "[lz4] \n");
    return 0;
}

static int store_algorithm(const char *text, size_t len, void *arg)
{
    (void)arg;
    if (len && text[len - 1] == '\n')
        len--;
    if (disk.store)
        return -EBUSY;
    return len == 3 && memcmp(text, "lz4", 3) == 0 ? 0 : -EINVAL;
}

/* One page at a time, whoever asks. */
static int show_streams(struct text *t, void *arg)
{
    (void)arg;
    text_printf(t, "1\n");
    return 0;
}

/* Taken and ignored, as Linux has done since streams belong to CPUs. */
static int store_ignored(const char *text, size_t len, void *arg)
{
    (void)text, (void)len, (void)arg;
    return 0;
}

/* [lock] All zeros without a store. */
static void figures(struct zram_stats *st)
{
    *st = (struct zram_stats){0};
    if (disk.store)
        zram_stats(disk.store, st);
}

static int show_mm_stat(struct text *t, void *arg)
{
    struct zram_stats st;

    (void)arg;
    mutex_lock(&disk.lock);
    figures(&st);
    mutex_unlock(&disk.lock);
    text_printf(t, "%8llu %8llu %8u %8llu %8u %8u %8u %8u %8u\n",
                (unsigned long long)st.pages << PAGE_SHIFT, (unsigned long long)st.compressed,
                st.used, (unsigned long long)disk.limit, st.peak, st.same, 0, st.huge, st.huge);
    return 0;
}

static int show_io_stat(struct text *t, void *arg)
{
    struct zram_stats st;

    (void)arg;
    mutex_lock(&disk.lock);
    figures(&st);
    mutex_unlock(&disk.lock);
    text_printf(t, "%8llu %8llu %8u %8u\n", (unsigned long long)st.failed_reads,
                (unsigned long long)st.failed_writes, 0, 0);
    return 0;
}

static int store_limit(const char *text, size_t len, void *arg)
{
    uint64_t bytes;
    int err = parse_bytes(text, &bytes);

    (void)len, (void)arg;
    if (err)
        return err;
    mutex_lock(&disk.lock);
    disk.limit = (bytes + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
    if (disk.store)
        zram_set_limit(disk.store, clamp_limit(disk.limit));
    mutex_unlock(&disk.lock);
    return 0;
}

static int store_peak(const char *text, size_t len, void *arg)
{
    uint64_t n;

    (void)len, (void)arg;
    if (parse_bytes(text, &n) || n)
        return -EINVAL;
    mutex_lock(&disk.lock);
    if (disk.store)
        zram_reset_peak(disk.store);
    mutex_unlock(&disk.lock);
    return 0;
}

static const struct {
    const char *name;
    sys_show show;
    sys_store store;
} files[] = {
    {"disksize", show_disksize, store_disksize},
    {"initstate", show_initstate, NULL},
    {"reset", NULL, store_reset},
    {"comp_algorithm", show_algorithm, store_algorithm},
    {"max_comp_streams", show_streams, store_ignored},
    {"mm_stat", show_mm_stat, NULL},
    {"io_stat", show_io_stat, NULL},
    {"mem_limit", NULL, store_limit},
    {"mem_used_max", NULL, store_peak},
    {"compact", NULL, store_ignored},
};

/* ---- Boot ---- */

/* What zram= says; 0: nothing, or nonsense. */
static uint64_t size_at_boot(const char *value)
{
    uint64_t n = 0;
    const char *s = value;

    for (; isdigit(*s) && n < 1000; s++)
        n = n * 10 + (uint64_t)(*s - '0');
    if (s > value && strcmp(s, "%") == 0)
        return n <= 400 ? ((uint64_t)vm_total_frames() * n / 100) << PAGE_SHIFT : 0;
    return parse_bytes(value, &n) ? 0 : n;
}

struct block_device *zram_at_boot(const char *value)
{
    uint64_t bytes = size_at_boot(value);

    return bytes && set_size(bytes) == 0 ? &disk.queue.whole : NULL;
}

static void zram_init(void)
{
    struct block_queue *q = &disk.queue;
    int err;

    mutex_init(&disk.lock, MUTEX_RANK_ZRAM);
    q->driver = &zram_driver;
    q->depth = 1;
    q->max_segments = BLOCK_IO_PAGES;
    q->max_bytes = BLOCK_IO_MAX;
    q->solid = true;
    q->whole.block_size = PAGE_SIZE;
    q->whole.hidden = true;
    err = block_register(q, BLOCK_ZRAM);
    for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]) && !err; i++)
        err = sysfs_file(q->whole.node, files[i].name, files[i].show, files[i].store, NULL);
    if (err)
        klog(LOG_WARN, "zram: error %d\n", err);
}
INIT_AT(INIT_DISK, zram_init);
