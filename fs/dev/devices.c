/*
 * Character devices by major number. Registered at boot, never taken out.
 */
#include "fs/vfs/vfs.h"
#include "libc/errno.h"

#define MAJORS 256u

static const struct file_ops *drivers[MAJORS];
static const char *names[MAJORS];

int chrdev_register(uint32_t major, const char *name, const struct file_ops *ops)
{
    if (major >= MAJORS)
        return -EINVAL;
    if (drivers[major])
        return -EBUSY;
    names[major] = name;
    __atomic_store_n(&drivers[major], ops, __ATOMIC_RELEASE);
    return 0;
}

const struct file_ops *chrdev_find(uint32_t major)
{
    return major < MAJORS ? __atomic_load_n(&drivers[major], __ATOMIC_ACQUIRE) : NULL;
}

const char *chrdev_name(uint32_t major)
{
    return major < MAJORS ? names[major] : NULL;
}
