/* /sys/block/loopN/loop: what losetup(8) tells of a loop device that has a file. */
#include "fs/block/loop_impl.h"
#include "fs/sys/sysfs.h"
#include "fs/vfs/vfs.h"
#include "libc/errno.h"

static int show_backing_file(struct text *t, void *arg)
{
    struct loop *l = arg;
    char *buf = kalloc(), *path = NULL;
    struct path p = {0};
    struct file *f = loop_file(l);

    if (buf && f && file_path(f, &p) == 0)
        path = path_print(&p, buf, PAGE_SIZE);
    if (path)
        text_printf(t, "%s\n", path);
    path_unref(&p);
    if (f)
        file_put(f);
    if (buf)
        kfree(buf);
    return path ? 0 : -ENOMEM;
}

static int show_offset(struct text *t, void *arg)
{
    text_printf(t, "%llu\n", (unsigned long long)((struct loop *)arg)->offset);
    return 0;
}

static int show_sizelimit(struct text *t, void *arg)
{
    text_printf(t, "%llu\n", (unsigned long long)((struct loop *)arg)->sizelimit);
    return 0;
}

static int show_autoclear(struct text *t, void *arg)
{
    text_printf(t, "%d\n", !!(((struct loop *)arg)->flags & FLAG_AUTOCLEAR));
    return 0;
}

static int show_partscan(struct text *t, void *arg)
{
    text_printf(t, "%d\n", !!(((struct loop *)arg)->flags & FLAG_PARTSCAN));
    return 0;
}

static int show_direct(struct text *t, void *arg)
{
    (void)arg;
    text_printf(t, "0\n");
    return 0;
}

void loop_sysfs_add(struct loop *l)
{
    static const struct {
        const char *name;
        sys_show show;
    } files[] = {
        {"backing_file", show_backing_file}, {"offset", show_offset},
        {"sizelimit", show_sizelimit},       {"autoclear", show_autoclear},
        {"partscan", show_partscan},         {"dio", show_direct},
    };
    struct sys_node *dir = sysfs_dir(l->queue.whole.node, "loop");

    for (unsigned i = 0; dir && i < sizeof(files) / sizeof(files[0]); i++)
        (void)sysfs_file(dir, files[i].name, files[i].show, NULL, l);
}

void loop_sysfs_remove(struct loop *l)
{
    sysfs_remove_name(l->queue.whole.node, "loop");
}
