/*
 * swapon and swapoff: of block devices and files that mkswap(8) prepared; and at boot, of
 * compressed memory, unless zram=0, and the pageout thread, unless nopageout. [man 2 swapon]
 */
#include "fs/block/zram.h"
#include "fs/vfs/vfs.h"
#include "kernel/base/boot.h"
#include "kernel/base/init.h"
#include "kernel/base/log.h"
#include "kernel/machine/random.h"
#include "kernel/syscall/swap_area.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"
#include "libc/string.h"

#define SWAP_FLAG_PREFER    0x8000u
#define SWAP_FLAG_PRIO_MASK 0x7fffu
#define SWAP_FLAGS          (SWAP_FLAG_PREFER | SWAP_FLAG_PRIO_MASK | 0x70000u) /* discard: ignored */
#define ZRAM_PRIORITY       100
#define ZRAM_DEFAULT        "50%"
#define BAD_MAX             637u
#define MAGIC               "SWAPSPACE2"

/* mkswap(8): the first page of a swap area. */
struct swap_header {
    uint8_t boot[1024];
    uint32_t version;
    uint32_t last_page;
    uint32_t bad_pages;
    uint8_t uuid[16], label[16];
    uint32_t padding[117];
    uint32_t bad[BAD_MAX];
    uint16_t unused;
    char magic[10];
} __attribute__((packed));

_Static_assert(sizeof(struct swap_header) == PAGE_SIZE, "mkswap's layout");

/* ---- The pageout thread ---- */

static void pageout_main(void *arg)
{
    (void)arg;
    vm_pageout_thread();
}

/* Without it who needs memory sees pages off himself: to measure what it costs. */
static void start_pageout(void)
{
    if (!boot_flag("nopageout") && !kthread_create("kswapd0", pageout_main, NULL))
        klog(LOG_WARN, "swap: no memory for the pageout thread\n");
}
INIT_AT(INIT_DEVICE, start_pageout);

/* ---- swapon ---- */

static int check_header(const struct swap_header *h, const struct swap_area *a)
{
    if (memcmp(h->magic, MAGIC, sizeof(h->magic)) != 0 || h->version != 1)
        return -EINVAL;
    if (h->last_page == 0 || h->last_page >= swap_area_pages(a))
        return -EINVAL;
    if (h->bad_pages > BAD_MAX || (h->bad_pages && a->file))
        return -EINVAL;
    for (uint32_t i = 0; i < h->bad_pages; i++) {
        if (h->bad[i] == 0 || h->bad[i] > h->last_page)
            return -EINVAL;
    }
    return 0;
}

static int use_area(struct swap_area *a, const struct swap_header *h, int priority)
{
    uint32_t slots = h->last_page < VM_SWAP_SLOTS_MAX ? h->last_page + 1 : VM_SWAP_SLOTS_MAX;
    int err = vm_swap_on(&a->device, slots, priority);

    if (err)
        return err == -EBUSY ? -EPERM : err; /* too many areas: man 2 swapon */
    for (uint32_t i = 0; i < h->bad_pages; i++)
        vm_swap_spoil(&a->device, h->bad[i]);
    swap_area_spoil_gaps(a, slots);
    return 0;
}

static int swap_on(struct swap_area *a, int priority)
{
    struct swap_header *h = kalloc();
    int err = h ? swap_area_header(a, BLOCK_READ, h) : -ENOMEM;

    if (!err)
        err = check_header(h, a);
    if (!err)
        err = use_area(a, h, priority);
    if (h)
        kfree(h);
    return err;
}

/* Not for writing, which files that are swap refuse; directories are refused as if it were. */
static int open_path(const char __user *upath, struct file **out)
{
    char *path;
    int err = path_from_user(upath, &path);

    if (err)
        return err;
    err = file_open(AT_FDCWD, path, O_RDONLY | O_LARGEFILE, 0, out);
    kmfree(path);
    if (err || !S_ISDIR((*out)->inode->mode))
        return err;
    file_put(*out);
    return -EISDIR;
}

long sys_swapon(const char __user *upath, uint32_t flags)
{
    int priority = flags & SWAP_FLAG_PREFER ? (int)(flags & SWAP_FLAG_PRIO_MASK) : -1;
    struct swap_area *a;
    struct file *f;
    int err;

    if (flags & ~SWAP_FLAGS)
        return -EINVAL;
    if (!capable(CAP_SYS_ADMIN))
        return -EPERM;
    err = open_path(upath, &f);
    if (err)
        return err;
    err = swap_area_open(f, &a);
    if (err) {
        file_put(f);
        return err;
    }
    err = swap_on(a, priority);
    if (err)
        swap_area_close(a);
    return err;
}

/* ---- swapoff ---- */

long sys_swapoff(const char __user *upath)
{
    struct swap_area *a;
    struct file *f;
    int err;

    if (!capable(CAP_SYS_ADMIN))
        return -EPERM;
    err = open_path(upath, &f);
    if (err)
        return err;
    a = swap_area_find(f);
    file_put(f);
    err = a ? vm_swap_off(&a->device) : -EINVAL;
    if (!err)
        swap_area_close(a);
    return err;
}

/* ---- zram= ---- */

/* What mkswap would have written, for those who look what is on the device. */
static int sign(struct swap_area *a)
{
    struct swap_header *h = kalloc_zeroed();
    int err;

    if (!h)
        return -ENOMEM;
    h->version = 1;
    h->last_page = (uint32_t)swap_area_pages(a) - 1;
    random_bytes(h->uuid, sizeof(h->uuid));
    h->uuid[6] = (h->uuid[6] & 0x0f) | 0x40; /* a random one [RFC 4122, 4.4] */
    h->uuid[8] = (h->uuid[8] & 0x3f) | 0x80;
    memcpy(h->magic, MAGIC, sizeof(h->magic));
    err = swap_area_header(a, BLOCK_WRITE, h);
    kfree(h);
    return err;
}

static int swap_to(struct block_device *zram)
{
    struct swap_area *a;
    int err = swap_area_of(zram, &a);

    if (err)
        return err;
    err = sign(a);
    if (!err)
        err = vm_swap_on(&a->device, (uint32_t)swap_area_pages(a), ZRAM_PRIORITY);
    if (err)
        swap_area_close(a);
    return err;
}

/* A swap partition is not looked for: what lies on a disk may be another system's, asleep. Who
 * wants it says swapon, and it is used when the compressed memory is full. */
static void swap_boot(void)
{
    struct block_device *zram;
    char value[16];
    int err;

    if (!boot_option("zram", value, sizeof(value)))
        strlcpy(value, ZRAM_DEFAULT, sizeof(value));
    if (strcmp(value, "off") == 0 || strcmp(value, "0") == 0)
        return;
    zram = zram_at_boot(value);
    err = zram ? swap_to(zram) : -EINVAL;
    if (err)
        klog(LOG_WARN, "zram=%s: there will be no compressed swap\n", value);
    else
        klog(LOG_INFO, "zram0: %llu KiB of compressed swap\n",
             (unsigned long long)block_bytes(zram) / 1024);
}
INIT_AT(INIT_DEVICE, swap_boot);
