/* What ioctl(2) asks of block devices. [linux/fs.h, linux/hdreg.h] */
#include "arch/uaccess.h"
#include "fs/block/internal.h"
#include "fs/block/file.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"

#define BLKROSET             0x125du
#define BLKROGET             0x125eu
#define BLKRRPART            0x125fu
#define BLKGETSIZE           0x1260u
#define BLKFLSBUF            0x1261u
#define BLKRASET             0x1262u
#define BLKRAGET             0x1263u
#define BLKSECTGET           0x1267u
#define BLKSSZGET            0x1268u
#define BLKBSZGET            0x80041270u
#define BLKBSZSET            0x40041271u
#define BLKGETSIZE64         0x80041272u
#define BLKDISCARD           0x1277u
#define BLKIOMIN             0x1278u
#define BLKIOOPT             0x1279u
#define BLKALIGNOFF          0x127au
#define BLKPBSZGET           0x127bu
#define BLKDISCARDZEROES     0x127cu
#define BLKSECDISCARD        0x127du
#define BLKROTATIONAL        0x127eu
#define BLKZEROOUT           0x127fu
#define BLKGETDISKSEQ        0x80081280u
#define HDIO_GETGEO          0x0301u
#define CDROM_GET_CAPABILITY 0x5331u

struct hd_geometry {
    uint8_t heads, sectors;
    uint16_t cylinders;
    uint32_t start;
};

/* Nobody's disks have any; what BIOSes make up for large ones. */
static long get_geometry(const struct block_device *dev, void __user *arg)
{
    struct hd_geometry g = {.heads = 255, .sectors = 63, .start = (uint32_t)dev->start};

    g.cylinders = (uint16_t)(dev->disk->sectors / (255u * 63u));
    return copy_to_user(arg, &g, sizeof(g));
}

static long put_u64(void __user *arg, uint64_t value)
{
    return copy_to_user(arg, &value, sizeof(value));
}

static long put_u16(void __user *arg, uint16_t value)
{
    return copy_to_user(arg, &value, sizeof(value));
}

static long set_block_size(void __user *arg)
{
    uint32_t size;

    if (!capable(CAP_SYS_ADMIN))
        return -EACCES;
    if (get_user_u32(&size, arg))
        return -EFAULT;
    return size < 512 || size > PAGE_SIZE || (size & (size - 1)) ? -EINVAL : 0;
}

static long get_size(const struct block_device *dev, void __user *arg)
{
    return dev->sectors > UINT32_MAX ? -EFBIG : put_user_u32(arg, (uint32_t)dev->sectors);
}

static long set_read_only(struct block_device *dev, void __user *arg)
{
    uint32_t on;

    if (!capable(CAP_SYS_ADMIN))
        return -EACCES;
    if (get_user_u32(&on, arg))
        return -EFAULT;
    (void)block_sync(dev);
    dev->locked = on != 0;
    return 0;
}

static long flush_buffers(struct block_device *dev)
{
    if (!capable(CAP_SYS_ADMIN))
        return -EACCES;
    block_drop_cache(dev);
    return 0;
}

static long reread_table(struct block_device *dev)
{
    if (!capable(CAP_SYS_ADMIN))
        return -EACCES;
    if (dev->partition)
        return -EINVAL;
    (void)block_sync(dev);
    return partition_scan(dev);
}

/* What a device is. */
static long tell(struct block_device *dev, uint32_t cmd, void __user *arg)
{
    switch (cmd) {
    case BLKGETSIZE64:
        return put_u64(arg, block_bytes(dev));
    case BLKGETSIZE:
        return get_size(dev, arg);
    case BLKSSZGET:
        return put_user_u32(arg, dev->block_size);
    case BLKPBSZGET:
    case BLKIOMIN:
        return put_user_u32(arg, dev->physical_size);
    case BLKBSZGET:
        return put_user_u32(arg, PAGE_SIZE);
    case BLKROGET:
        return put_user_u32(arg, block_is_read_only(dev));
    case BLKRAGET:
        return put_user_u32(arg, BLOCK_IO_MAX >> SECTOR_SHIFT);
    case BLKSECTGET:
        return put_u16(arg, (uint16_t)(dev->queue->max_bytes >> SECTOR_SHIFT));
    case BLKIOOPT:
    case BLKALIGNOFF:
    case BLKDISCARDZEROES:
        return put_user_u32(arg, 0);
    case BLKROTATIONAL:
        return put_u16(arg, !dev->queue->solid);
    case HDIO_GETGEO:
        return get_geometry(dev, arg);
    default:
        return -ENOTTY;
    }
}

long block_ioctl(struct block_device *dev, uint32_t cmd, uint32_t uarg)
{
    void __user *arg = (void __user *)uarg;
    const struct block_driver *driver = dev->queue->driver;
    long ret = driver->ioctl ? driver->ioctl(dev, cmd, uarg) : -ENOTTY;

    if (ret != -ENOTTY)
        return ret;
    switch (cmd) {
    case BLKBSZSET:
        return set_block_size(arg);
    case BLKROSET:
        return set_read_only(dev, arg);
    case BLKFLSBUF:
        return flush_buffers(dev);
    case BLKRRPART:
        return reread_table(dev);
    case BLKRASET:
        return capable(CAP_SYS_ADMIN) ? 0 : -EACCES;
    case BLKDISCARD:
    case BLKSECDISCARD:
    case BLKZEROOUT:
        return -EOPNOTSUPP;
    default:
        return tell(dev, cmd, arg);
    }
}
