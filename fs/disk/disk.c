/* The device a file system is mounted from. */
#include "fs/disk/disk.h"
#include "fs/vfs/vfs.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"
#include "libc/string.h"

/* At boot the root is named before there is a /dev to look in. */
static int find_unseen(const char *source, struct block_device **out)
{
    if (strncmp(source, "/dev/", 5) != 0)
        return -ENOENT;
    *out = block_find_name(source + 5);
    return *out ? 0 : -ENXIO;
}

static int find(const char *source, struct block_device **out)
{
    struct dentry *d;
    int err;

    if (!source || !*source)
        return -EINVAL;
    if (!proc_current()->fs)
        return find_unseen(source, out);
    err = path_lookup(AT_FDCWD, source, LOOKUP_FOLLOW, &d);
    if (err)
        return err;
    *out = NULL;
    err = -ENOTBLK;
    if (S_ISBLK(d->inode->mode)) {
        *out = block_find(d->inode->rdev);
        err = *out ? 0 : -ENXIO;
    }
    dentry_unref(d);
    return err;
}

int disk_claim(const char *source, bool write, void *holder, struct block_device **out)
{
    struct block_device *dev;
    int err = find(source, &dev);

    if (err)
        return err;
    err = block_open(dev, write, holder);
    block_put(dev);
    if (!err)
        *out = dev;
    return err == -EROFS ? -EACCES : err;
}

void disk_release(struct block_device *dev, void *holder)
{
    block_close(dev, holder);
}
