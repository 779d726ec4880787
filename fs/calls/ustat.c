/*
 * ustat, which statfs replaced: room on the file system that has a device number. [man 2 ustat]
 */
#include "fs/vfs/internal.h"
#include "fs/vfs/super.h"
#include "arch/uaccess.h"

struct ustat {
    uint32_t tfree, tinode;
    char fname[6], fpack[6]; /* empty, as on Linux */
};

_Static_assert(sizeof(struct ustat) == 20, "Linux i386 layout");

static int ustat_of(uint32_t dev, struct ustat *out)
{
    struct superblock *sb;
    struct kstatfs k = {0};

    mutex_lock(&mount_lock);
    sb = super_find(dev);
    if (sb && sb->type->statfs)
        sb->type->statfs(sb, &k);
    mutex_unlock(&mount_lock);
    *out = (struct ustat){.tfree = (uint32_t)k.bfree, .tinode = (uint32_t)k.ffree};
    return sb ? 0 : -EINVAL;
}

long sys_ustat(uint32_t dev, void __user *ubuf)
{
    struct ustat s;
    int err = ustat_of(dev, &s);

    return err ? err : copy_to_user(ubuf, &s, sizeof(s));
}
