/*
 * Devices of characters in /sys: what udevadm and its like ask for. A directory for each device,
 * links to it from its class and its number. They are made when /sys is first mounted: most boots
 * come to their programs before that.
 */
#include "fs/dev/class.h"
#include "fs/sys/sysfs.h"
#include "fs/vfs/vfs.h"
#include "libc/errno.h"
#include "libc/printf.h"
#include "libc/string.h"

#define MEM_MAJOR  1u
#define MISC_MAJOR 10u
#define RTC_MAJOR  252u

struct numbered { /* what the files of a device are about; it stays */
    uint32_t rdev, mode;
    char name[32];
};

static int show_dev(struct text *t, void *arg)
{
    const struct numbered *d = arg;

    text_printf(t, "%u:%u\n", DEV_MAJOR(d->rdev), DEV_MINOR(d->rdev));
    return 0;
}

/* Whom a node lets in is told where it is not root alone. */
static int show_uevent(struct text *t, void *arg)
{
    const struct numbered *d = arg;

    text_printf(t, "MAJOR=%u\nMINOR=%u\nDEVNAME=%s\n", DEV_MAJOR(d->rdev), DEV_MINOR(d->rdev),
                d->name);
    if ((d->mode & 0777) != 0600 && DEV_MAJOR(d->rdev) == MEM_MAJOR)
        text_printf(t, "DEVMODE=0%o\n", (unsigned)(d->mode & 0777));
    return 0;
}

static const char *class_of(uint32_t rdev)
{
    switch (DEV_MAJOR(rdev)) {
    case MEM_MAJOR:
        return "mem";
    case 4:
    case 5:
        return "tty";
    case MISC_MAJOR:
        return "misc";
    case 29:
        return "graphics";
    case RTC_MAJOR:
        return "rtc";
    default:
        return NULL;
    }
}

static int add_files(struct sys_node *dir, struct numbered *d, const char *class)
{
    char target[64];
    int err = sysfs_file(dir, "dev", show_dev, NULL, d);

    if (!err)
        err = sysfs_file(dir, "uevent", show_uevent, NULL, d);
    snprintf(target, sizeof(target), "../../../../class/%s", class);
    return err ? err : sysfs_link(dir, "subsystem", target);
}

static int add_links(const struct numbered *d, const char *class, const char *leaf)
{
    struct sys_node *of_class, *numbers = sysfs_path("dev/char");
    char target[96], name[32];
    int err;

    snprintf(name, sizeof(name), "class/%s", class);
    of_class = sysfs_path(name);
    if (!of_class || !numbers)
        return -ENOMEM;
    snprintf(target, sizeof(target), "../../devices/virtual/%s/%s", class, leaf);
    err = sysfs_link(of_class, leaf, target);
    snprintf(name, sizeof(name), "%u:%u", DEV_MAJOR(d->rdev), DEV_MINOR(d->rdev));
    return err ? err : sysfs_link(numbers, name, target);
}

int class_add(const char *name, uint32_t mode, uint32_t rdev)
{
    const char *class = class_of(rdev), *leaf = strrchr(name, '/');
    struct numbered *d;
    struct sys_node *dir;
    char path[96];

    if (!class)
        return 0;
    leaf = leaf ? leaf + 1 : name;
    snprintf(path, sizeof(path), "devices/virtual/%s/%s", class, leaf);
    dir = sysfs_path(path);
    d = dir ? kmalloc(sizeof(*d)) : NULL;
    if (!d)
        return -ENOMEM;
    *d = (struct numbered){.rdev = rdev, .mode = mode};
    strlcpy(d->name, name, sizeof(d->name));
    if (add_files(dir, d, class)) {
        sysfs_remove(dir);
        kmfree(d);
        return -ENOMEM;
    }
    return add_links(d, class, leaf);
}
