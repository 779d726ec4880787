/* Linux's names and numbers of disks and partitions. */
#include "fs/block/file.h"
#include "fs/block/internal.h"
#include "fs/vfs/vfs.h"
#include "libc/ctype.h"
#include "libc/errno.h"
#include "libc/printf.h"
#include "libc/string.h"

#define EXTENDED_MAJOR 259u /* NVMe's, and what has no place of its own */

/* What a kind's disks are called, and which numbers they have. */
struct series {
    const char *name; /* NULL: the driver names them */
    uint32_t major;   /* of the first */
    unsigned minors;  /* of a disk: itself and its partitions; 0: EXTENDED_MAJOR, one by one */
    unsigned most;    /* disks */
    bool letters;     /* sda, not sr0 */
    bool given;       /* the driver names and numbers them */
    unsigned used;    /* [name_lock] */
};

static struct spinlock name_lock = SPINLOCK_INIT("disk names", LOCK_RANK_FS);
static uint32_t extended_used; /* [name_lock] */
static struct series series[] = {
    [BLOCK_SD] = {.name = "sd", .major = 8, .minors = 16, .most = 16, .letters = true},
    [BLOCK_VD] = {.name = "vd", .major = 254, .minors = 16, .most = 16, .letters = true},
    [BLOCK_NVME] = {.major = EXTENDED_MAJOR, .most = 64},
    [BLOCK_SR] = {.name = "sr", .major = 11, .minors = 1, .most = 16},
    [BLOCK_LOOP] = {.major = 7, .minors = 1, .given = true},
    [BLOCK_ZRAM] = {.name = "zram", .major = 252, .minors = 1, .most = 1},
};

void block_show_majors(struct text *t)
{
    static const struct {
        uint32_t major;
        const char *name;
    } majors[] = {{7, "loop"},   {8, "sd"},        {11, "sr"},
                  {252, "zram"}, {254, "virtblk"}, {EXTENDED_MAJOR, "blkext"}};

    for (unsigned i = 0; i < sizeof(majors) / sizeof(majors[0]); i++)
        text_printf(t, "%3u %s\n", majors[i].major, majors[i].name);
}

/* [name_lock] */
static uint32_t extended_number(void)
{
    uint32_t minor = extended_used++;

    return MKDEV(EXTENDED_MAJOR, minor);
}

int name_disk(struct block_device *dev, enum block_kind kind)
{
    struct series *s = &series[kind];
    unsigned index;
    int err = 0;

    if (s->given)
        return 0;
    spin_lock(&name_lock);
    index = s->used;
    if (index >= s->most)
        err = -ENOSPC;
    else
        s->used++;
    if (!err)
        dev->number = s->minors ? MKDEV(s->major, index * s->minors) : extended_number();
    spin_unlock(&name_lock);
    if (err || !s->name)
        return err;
    if (s->letters)
        snprintf(dev->name, sizeof(dev->name), "%s%c", s->name, (char)('a' + index));
    else
        snprintf(dev->name, sizeof(dev->name), "%s%u", s->name, index);
    return 0;
}

unsigned name_minors(const struct block_device *disk)
{
    for (unsigned i = 0; i < sizeof(series) / sizeof(series[0]); i++)
        if (series[i].major == DEV_MAJOR(disk->number))
            return series[i].minors;
    return 0;
}

/* Disks whose names end in a digit have a p before the partition's number. */
int name_partition(struct block_device *dev)
{
    const struct block_device *disk = dev->disk;
    uint32_t major = DEV_MAJOR(disk->number);
    bool digit = isdigit(disk->name[strlen(disk->name) - 1]);

    snprintf(dev->name, sizeof(dev->name), "%.16s%s%u", disk->name, digit ? "p" : "",
             dev->partition);
    spin_lock(&name_lock);
    if ((major == series[BLOCK_SD].major || major == series[BLOCK_VD].major) &&
        dev->partition < series[BLOCK_SD].minors)
        dev->number = disk->number + dev->partition;
    else if (extended_used < 256)
        dev->number = extended_number();
    spin_unlock(&name_lock);
    return dev->number ? 0 : -ENOSPC;
}
