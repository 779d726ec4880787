/*
 * /proc/PID/mounts and mountinfo.
 */
#include "fs/procfs.h"
#include "libc/errno.h"
#include "libc/string.h"

#define FIRST_MOUNT_ID 20
#define LINE_SIZE      1024

int show_mounts(struct text *t, const struct target *who)
{
    char *line = kmalloc(LINE_SIZE);
    int n;

    (void)who;
    if (!line)
        return -ENOMEM;
    for (unsigned i = 0; (n = mount_line(i, line, LINE_SIZE)) > 0; i++)
        text_write(t, line, (size_t)n);
    kmfree(line);
    return 0;
}

/* [mount_lock held] Its place in the list; the root is its own parent's child. */
static unsigned mount_id(const struct superblock *sb)
{
    unsigned id = FIRST_MOUNT_ID;
    struct superblock *s;

    list_for_each_entry (s, &mounts, link) {
        if (s == sb)
            break;
        id++;
    }
    return id;
}

static void mount_flags(struct text *t, uint32_t flags)
{
    text_printf(t, "%s%s%s%s%s", flags & MS_RDONLY ? "ro" : "rw",
                flags & MS_NOSUID ? ",nosuid" : "", flags & MS_NODEV ? ",nodev" : "",
                flags & MS_NOEXEC ? ",noexec" : "", flags & MS_NOATIME ? ",noatime" : ",relatime");
}

/* [mount_lock held] */
static void mountinfo_line(struct text *t, struct superblock *sb, char *page)
{
    struct dentry *covers = sb->root->covers;
    char *path = dentry_path(sb->root, page, PAGE_SIZE);

    text_printf(t, "%u %u %u:%u / ", mount_id(sb), covers ? mount_id(covers->inode->sb) : 1,
                DEV_MAJOR(sb->dev), DEV_MINOR(sb->dev));
    text_escape(t, path ? path : "/", " \t\n");
    text_write(t, " ", 1);
    mount_flags(t, sb->flags);
    text_printf(t, " - %s ", sb->type->name);
    text_escape(t, sb->source[0] ? sb->source : "none", " \t\n");
    text_printf(t, " %s\n", sb->flags & MS_RDONLY ? "ro" : "rw");
}

int show_mountinfo(struct text *t, const struct target *who)
{
    char *page = kalloc();
    struct superblock *sb;

    (void)who;
    if (!page)
        return -ENOMEM;
    mutex_lock(&mount_lock);
    list_for_each_entry (sb, &mounts, link)
        mountinfo_line(t, sb, page);
    mutex_unlock(&mount_lock);
    kfree(page);
    return 0;
}
