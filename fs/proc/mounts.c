/*
 * /proc/PID/mounts and mountinfo.
 */
#include "fs/proc/procfs.h"
#include "libc/errno.h"
#include "libc/string.h"

#define OPTIONS_SIZE 128

static const struct {
    uint32_t flag;
    const char *name;
} flag_names[] = {
    {MS_NOSUID, ",nosuid"},    {MS_NODEV, ",nodev"},     {MS_NOEXEC, ",noexec"},
    {MS_SYNCHRONOUS, ",sync"}, {MS_NOATIME, ",noatime"}, {MS_NODIRATIME, ",nodiratime"},
};

/* The flags of a mount; the root, which nobody mounted, has no ",relatime". */
static void mount_flags(struct text *t, const struct superblock *sb)
{
    text_printf(t, "%s", sb->flags & MS_RDONLY ? "ro" : "rw");
    for (unsigned i = 0; i < sizeof(flag_names) / sizeof(flag_names[0]); i++)
        if (sb->flags & flag_names[i].flag)
            text_printf(t, "%s", flag_names[i].name);
    if (!(sb->flags & MS_NOATIME) && sb->root->covers)
        text_printf(t, ",relatime");
}

static void fs_options(struct text *t, struct superblock *sb)
{
    char options[OPTIONS_SIZE] = "";

    if (sb->type->options)
        sb->type->options(sb, options, sizeof(options));
    text_printf(t, "%s", options);
}

static void path_or_source(struct text *t, const char *s)
{
    text_escape(t, s && *s ? s : "none", " \t\n");
    text_write(t, " ", 1);
}

/* [mount_lock held] page: a frame. */
static void mounts_line(struct text *t, struct superblock *sb, char *page)
{
    path_or_source(t, sb->source);
    path_or_source(t, dentry_path(sb->root, page, PAGE_SIZE));
    text_printf(t, "%s ", sb->type->name);
    mount_flags(t, sb);
    fs_options(t, sb);
    text_printf(t, " 0 0\n");
}

/* [mount_lock held] */
static void mountinfo_line(struct text *t, struct superblock *sb, char *page)
{
    struct dentry *covers = sb->root->covers;

    text_printf(t, "%u %u %u:%u / ", sb->id, covers ? covers->inode->sb->id : 1, DEV_MAJOR(sb->dev),
                DEV_MINOR(sb->dev));
    path_or_source(t, dentry_path(sb->root, page, PAGE_SIZE));
    mount_flags(t, sb);
    text_printf(t, " - %s ", sb->type->name);
    path_or_source(t, sb->source);
    text_printf(t, "%s", sb->flags & MS_RDONLY ? "ro" : "rw");
    fs_options(t, sb);
    text_write(t, "\n", 1);
}

static int each_mount(struct text *t, void (*line)(struct text *, struct superblock *, char *))
{
    char *page = kalloc();
    struct superblock *sb;

    if (!page)
        return -ENOMEM;
    mutex_lock(&mount_lock);
    list_for_each_entry (sb, &mounts, link)
        if (dentry_is_reachable(sb->root))
            line(t, sb, page);
    mutex_unlock(&mount_lock);
    kfree(page);
    return 0;
}

int show_mounts(struct text *t, const struct target *who)
{
    (void)who;
    return each_mount(t, mounts_line);
}

int show_mountinfo(struct text *t, const struct target *who)
{
    (void)who;
    return each_mount(t, mountinfo_line);
}
