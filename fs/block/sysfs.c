/*
 * Block devices in /sys, as far as lsblk, blkid and fdisk look: a directory for each disk below
 * /sys/devices, its partitions inside it, and links to them by name and by number.
 */
#include "fs/block/internal.h"
#include "fs/sys/sysfs.h"
#include "fs/vfs/vfs.h"
#include "libc/errno.h"
#include "libc/printf.h"
#include "libc/string.h"

#define DISKS_AT "devices/virtual/block"

static int show_dev(struct text *t, void *arg)
{
    const struct block_device *dev = arg;

    text_printf(t, "%u:%u\n", DEV_MAJOR(dev->number), DEV_MINOR(dev->number));
    return 0;
}

static int show_size(struct text *t, void *arg)
{
    const struct block_device *dev = arg;

    text_printf(t, "%llu\n", (unsigned long long)dev->sectors);
    return 0;
}

static int show_start(struct text *t, void *arg)
{
    const struct block_device *dev = arg;

    text_printf(t, "%llu\n", (unsigned long long)dev->start);
    return 0;
}

static int show_number(struct text *t, void *arg)
{
    const struct block_device *dev = arg;

    text_printf(t, "%u\n", dev->partition);
    return 0;
}

static int show_ro(struct text *t, void *arg)
{
    const struct block_device *dev = arg;

    text_printf(t, "%u\n", block_is_read_only(dev));
    return 0;
}

static int show_removable(struct text *t, void *arg)
{
    const struct block_device *dev = arg;

    text_printf(t, "%u\n", dev->removable);
    return 0;
}

static int show_stat(struct text *t, void *arg)
{
    block_stats_text(t, arg);
    return 0;
}

static int show_uevent(struct text *t, void *arg)
{
    const struct block_device *dev = arg;

    text_printf(t, "MAJOR=%u\nMINOR=%u\nDEVNAME=%s\nDEVTYPE=%s\n", DEV_MAJOR(dev->number),
                DEV_MINOR(dev->number), dev->name, dev->partition ? "partition" : "disk");
    if (dev->partition)
        text_printf(t, "PARTN=%u\n", dev->partition);
    return 0;
}

static int show_logical(struct text *t, void *arg)
{
    const struct block_device *dev = arg;

    text_printf(t, "%u\n", dev->block_size);
    return 0;
}

static int show_physical(struct text *t, void *arg)
{
    const struct block_device *dev = arg;

    text_printf(t, "%u\n", dev->physical_size);
    return 0;
}

static int show_requests(struct text *t, void *arg)
{
    const struct block_device *dev = arg;

    text_printf(t, "%u\n", dev->queue->depth);
    return 0;
}

static int show_max_kib(struct text *t, void *arg)
{
    const struct block_device *dev = arg;

    text_printf(t, "%u\n", dev->queue->max_bytes / 1024);
    return 0;
}

static int show_cache(struct text *t, void *arg)
{
    const struct block_device *dev = arg;

    text_printf(t, "write %s\n", dev->queue->has_cache ? "back" : "through");
    return 0;
}

static int show_zero(struct text *t, void *arg)
{
    (void)arg;
    text_printf(t, "0\n");
    return 0;
}

/* Numbers that a disk has for itself and its partitions. */
static int show_range(struct text *t, void *arg)
{
    const struct block_device *dev = arg;

    text_printf(t, "%u\n", name_minors(dev));
    return 0;
}

static int show_ext_range(struct text *t, void *arg)
{
    (void)arg;
    text_printf(t, "256\n");
    return 0;
}

/* What is not known to have no moving parts has some, as on Linux. */
static int show_rotational(struct text *t, void *arg)
{
    const struct block_device *dev = arg;

    text_printf(t, "%u\n", !dev->queue->solid);
    return 0;
}

static int show_scheduler(struct text *t, void *arg)
{
    (void)arg;
    text_printf(t, "[elevator]\n");
    return 0;
}

/* ---- The drive itself, in the words of SCSI, as Linux has those of ATA, too ---- */

#define MAJOR_SD 8u
#define MAJOR_SR 11u

static int show_type(struct text *t, void *arg)
{
    const struct block_device *dev = arg;

    text_printf(t, "%u\n", DEV_MAJOR(dev->number) == MAJOR_SR ? 5 : 0);
    return 0;
}

static int show_vendor(struct text *t, void *arg)
{
    (void)arg;
    text_printf(t, "%-8s\n", "ATA");
    return 0;
}

static int show_model(struct text *t, void *arg)
{
    const struct block_device *dev = arg;

    text_printf(t, "%-16.16s\n", dev->queue->model);
    return 0;
}

/* The end of what the firmware is called, where it goes that far. */
static int show_revision(struct text *t, void *arg)
{
    const char *firmware = ((const struct block_device *)arg)->queue->firmware;

    text_printf(t, "%-4.4s\n", strlen(firmware) > 4 ? firmware + 4 : firmware);
    return 0;
}

/* ---- Which files there are ---- */

struct attribute {
    const char *name;
    sys_show show;
};

static const struct attribute common[] = {
    {"dev", show_dev},
    {"size", show_size},
    {"ro", show_ro},
    {"stat", show_stat},
    {"uevent", show_uevent},
    {"discard_alignment", show_zero},
    {"alignment_offset", show_zero},
    {NULL, NULL},
};
static const struct attribute of_disk[] = {{"removable", show_removable},
                                           {"range", show_range},
                                           {"ext_range", show_ext_range},
                                           {"hidden", show_zero},
                                           {NULL, NULL}};
static const struct attribute of_partition[] = {
    {"start", show_start}, {"partition", show_number}, {NULL, NULL}};
static const struct attribute of_queue[] = {
    {"logical_block_size", show_logical},
    {"hw_sector_size", show_logical},
    {"physical_block_size", show_physical},
    {"minimum_io_size", show_physical},
    {"optimal_io_size", show_zero},
    {"rotational", show_rotational},
    {"nr_requests", show_requests},
    {"max_sectors_kb", show_max_kib},
    {"max_hw_sectors_kb", show_max_kib},
    {"write_cache", show_cache},
    {"scheduler", show_scheduler},
    {"discard_granularity", show_zero},
    {"discard_max_bytes", show_zero},
    {"discard_zeroes_data", show_zero},
    {"add_random", show_zero},
    {"dax", show_zero},
    {NULL, NULL},
};

static const struct attribute of_drive[] = {
    {"type", show_type}, {"model", show_model}, {"rev", show_revision}, {NULL, NULL}};
static const struct attribute of_ata_disk[] = {{"vendor", show_vendor}, {NULL, NULL}};

static int add_files(struct sys_node *dir, const struct attribute *a, void *arg)
{
    int err = 0;

    for (; a->name && !err; a++)
        err = sysfs_file(dir, a->name, a->show, NULL, arg);
    return err;
}

static int add_drive_files(struct block_device *dev)
{
    uint32_t major = DEV_MAJOR(dev->number);
    struct sys_node *drive;

    if (major != MAJOR_SD && major != MAJOR_SR)
        return 0;
    drive = sysfs_dir(dev->node, "device");
    if (!drive || add_files(drive, of_drive, dev))
        return -ENOMEM;
    return major == MAJOR_SD ? add_files(drive, of_ata_disk, dev) : 0;
}

static int add_disk_files(struct block_device *dev)
{
    struct sys_node *queue = sysfs_dir(dev->node, "queue");

    if (!queue || !sysfs_dir(dev->node, "slaves"))
        return -ENOMEM;
    if (add_files(queue, of_queue, dev) || add_drive_files(dev))
        return -ENOMEM;
    return add_files(dev->node, of_disk, dev);
}

/* Links in /sys/DIR: up from there, and down to the device. */
static int add_link(const char *dir, const char *name, const struct block_device *dev)
{
    struct sys_node *at = sysfs_path(dir);
    char target[128], path[96];
    size_t n = 0;

    sysfs_path_of(dev->node, path, sizeof(path));
    target[0] = '\0';
    for (const char *p = dir; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL)
        n += (size_t)snprintf(target + n, sizeof(target) - n, "../");
    snprintf(target + n, sizeof(target) - n, "%s", path);
    return at ? sysfs_link(at, name, target) : -ENOMEM;
}

static void number_name(const struct block_device *dev, char *buf, size_t size)
{
    snprintf(buf, size, "%u:%u", DEV_MAJOR(dev->number), DEV_MINOR(dev->number));
}

int block_sysfs_add(struct block_device *dev)
{
    struct sys_node *above = dev->partition ? dev->disk->node : sysfs_path(DISKS_AT);
    char number[16];
    int err = -ENOMEM;

    dev->node = above ? sysfs_dir(above, dev->name) : NULL;
    if (!dev->node || !sysfs_dir(dev->node, "holders"))
        return err;
    number_name(dev, number, sizeof(number));
    err = add_files(dev->node, common, dev);
    if (!err)
        err = dev->partition ? add_files(dev->node, of_partition, dev) : add_disk_files(dev);
    if (!err)
        err = add_link("class/block", dev->name, dev);
    if (!err)
        err = add_link("dev/block", number, dev);
    if (!err && !dev->partition)
        err = add_link("block", dev->name, dev);
    if (!err)
        err = sysfs_link(dev->node, "subsystem",
                         dev->partition ? "../../../../../class/block" : "../../../../class/block");
    return err;
}

void block_sysfs_remove(struct block_device *dev)
{
    char number[16];

    number_name(dev, number, sizeof(number));
    sysfs_remove_name(sysfs_path("class/block"), dev->name);
    sysfs_remove_name(sysfs_path("dev/block"), number);
    if (!dev->partition)
        sysfs_remove_name(sysfs_path("block"), dev->name);
    sysfs_remove(dev->node);
    dev->node = NULL;
}
