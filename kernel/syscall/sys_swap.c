/*
 * Where swapping goes: swapon and swapoff of block devices that mkswap prepared, and compressed
 * memory by the boot option zram=SIZE (K, M, G, or a part of RAM in %). The pageout thread starts
 * with the first of them.
 */
#include "fs/block/block.h"
#include "fs/vfs/vfs.h"
#include "kernel/base/boot.h"
#include "kernel/base/init.h"
#include "kernel/base/log.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/swap.h"

#define SWAP_FLAG_PREFER    0x8000u
#define SWAP_FLAG_PRIO_MASK 0x7fffu
#define SWAP_FLAGS          (SWAP_FLAG_PREFER | SWAP_FLAG_PRIO_MASK | 0x70000u) /* discard: ignored */
#define SECTORS_PER_PAGE    (PAGE_SIZE / SECTOR_SIZE)

/* mkswap(8): the first page of a swap area. */
struct swap_header {
    uint8_t boot[1024];
    uint32_t version;
    uint32_t last_page;
    uint32_t bad_pages;
    uint8_t uuid[16], label[16];
    uint32_t padding[117];
    uint32_t bad[637];
    char magic[10];
} __attribute__((packed));

#define BAD_MAX 637u

struct swap_disk {
    struct swap_device device;
    struct block_device *disk;
    char name[BLOCK_NAME_MAX + 8];
};

/* ---- The device ---- */

static int disk_read(struct swap_device *d, uint32_t slot, unsigned n, void *const *pages)
{
    const struct swap_disk *s = d->private;

    return block_read(s->disk, (uint64_t)slot * SECTORS_PER_PAGE, pages, n);
}

static int disk_write(struct swap_device *d, uint32_t slot, unsigned n, void *const *pages)
{
    const struct swap_disk *s = d->private;
    int err = block_write(s->disk, (uint64_t)slot * SECTORS_PER_PAGE, pages, n);

    return err ? err : (int)n;
}

static void disk_close(struct swap_disk *s)
{
    block_close(s->disk, s);
    block_put(s->disk);
    kmfree(s);
}

/* ---- The pageout thread ---- */

static void pageout_main(void *arg)
{
    (void)arg;
    vm_pageout_thread();
}

static void start_pageout(void)
{
    static bool started;

    if (!__atomic_exchange_n(&started, true, __ATOMIC_RELAXED) &&
        !kthread_create("kswapd0", pageout_main, NULL))
        klog(LOG_WARN, "swap: no memory for the pageout thread\n");
}

/* ---- swapon ---- */

/* The device that path names, opened for swapping. */
static int open_disk(const char __user *upath, struct swap_disk **out)
{
    struct swap_disk *s = kzalloc(sizeof(*s));
    struct dentry *d;
    char *path;
    int err = s ? path_from_user(upath, &path) : -ENOMEM;

    if (err) {
        kmfree(s);
        return err;
    }
    err = path_lookup(AT_FDCWD, path, LOOKUP_FOLLOW, &d);
    kmfree(path);
    if (!err) {
        s->disk = S_ISBLK(d->inode->mode) ? block_find(d->inode->rdev) : NULL;
        err = s->disk ? block_open(s->disk, true, s) : S_ISBLK(d->inode->mode) ? -ENXIO : -EINVAL;
        if (err && s->disk)
            block_put(s->disk);
        dentry_unref(d);
    }
    if (err) {
        kmfree(s);
        return err;
    }
    strlcpy(s->name, "/dev/", sizeof(s->name));
    strlcat(s->name, s->disk->name, sizeof(s->name));
    s->device = (struct swap_device){disk_read, disk_write, NULL, s, s->name, "partition"};
    *out = s;
    return 0;
}

static int check_header(const struct swap_header *h, const struct block_device *disk)
{
    if (memcmp(h->magic, "SWAPSPACE2", 10) != 0 || h->version != 1 || h->bad_pages > BAD_MAX)
        return -EINVAL;
    if (h->last_page == 0 || h->last_page >= disk->sectors / SECTORS_PER_PAGE)
        return -EINVAL;
    return 0;
}

static int use_disk(struct swap_disk *s, struct swap_header *h, uint32_t flags)
{
    int priority = flags & SWAP_FLAG_PREFER ? (int)(flags & SWAP_FLAG_PRIO_MASK) : -1;
    void *page = h;
    int err = block_read(s->disk, 0, &page, 1);

    if (!err)
        err = check_header(h, s->disk);
    if (!err)
        err = vm_swap_on(&s->device,
                         h->last_page < VM_SWAP_SLOTS_MAX ? h->last_page + 1 : VM_SWAP_SLOTS_MAX,
                         priority);
    for (uint32_t i = 0; !err && i < h->bad_pages; i++)
        vm_swap_spoil(&s->device, h->bad[i]);
    return err;
}

long sys_swapon(const char __user *upath, uint32_t flags)
{
    struct swap_header *h;
    struct swap_disk *s;
    int err;

    if (!capable())
        return -EPERM;
    if (flags & ~SWAP_FLAGS)
        return -EINVAL;
    err = open_disk(upath, &s);
    if (err)
        return err;
    h = kalloc();
    err = h ? use_disk(s, h, flags) : -ENOMEM;
    if (h)
        kfree(h);
    if (err)
        disk_close(s);
    else
        start_pageout();
    return err;
}

/* ---- swapoff ---- */

/* The area on a device, by its number; or that of compressed memory, by its name. */
static struct swap_device *find_area(uint32_t number)
{
    struct vm_swap_info info;

    for (unsigned n = 0; vm_swap_info(n, &info); n++) {
        const struct swap_disk *s = info.device->private;
        if (info.device->read == disk_read && s->disk->number == number)
            return info.device;
    }
    return NULL;
}

long sys_swapoff(const char __user *upath)
{
    struct swap_device *device;
    struct dentry *d;
    char *path;
    int err;

    if (!capable())
        return -EPERM;
    err = path_from_user(upath, &path);
    if (err)
        return err;
    err = path_lookup(AT_FDCWD, path, LOOKUP_FOLLOW, &d);
    kmfree(path);
    if (err)
        return err;
    device = S_ISBLK(d->inode->mode) ? find_area(d->inode->rdev) : NULL;
    dentry_unref(d);
    err = device ? vm_swap_off(device) : -EINVAL;
    if (!err)
        disk_close(device->private);
    return err;
}

/* ---- zram= ---- */

/* So many pages; 0: nonsense, or none. */
static uint32_t parse_pages(const char *s)
{
    uint64_t n = 0;

    while (*s >= '0' && *s <= '9' && n < 0x100000000ull)
        n = n * 10 + (uint64_t)(*s++ - '0');
    if (*s == '%')
        return n <= 400 ? (uint32_t)(vm_total_frames() * n / 100) : 0;
    if (*s == 'K' || *s == 'k')
        n <<= 10;
    else if (*s == 'M' || *s == 'm')
        n <<= 20;
    else if (*s == 'G' || *s == 'g')
        n <<= 30;
    n >>= PAGE_SHIFT;
    return n < 0x100000 ? (uint32_t)n : 0;
}

static void zram_boot(void)
{
    struct swap_device *d;
    uint32_t pages;
    char value[16];

    if (!boot_option("zram", value, sizeof(value)) || strcmp(value, "off") == 0)
        return;
    pages = parse_pages(value);
    d = pages > 1 ? zram_create(pages, vm_total_frames() / 2 << PAGE_SHIFT) : NULL;
    if (!d || vm_swap_on(d, pages, 100)) {
        klog(LOG_WARN, "zram=%s: there will be no compressed swap\n", value);
        if (d)
            zram_destroy(d);
        return;
    }
    klog(LOG_INFO, "zram: %uK of compressed swap\n", pages * (PAGE_SIZE / 1024));
    start_pageout();
}

INIT_AT(INIT_DISK, zram_boot);
