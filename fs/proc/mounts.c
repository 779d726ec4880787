/*
 * /proc/PID/mounts and mountinfo: what of the tree of mounts the process's root leads to.
 * [man 5 proc_pid_mountinfo]
 */
#include "fs/proc/procfs.h"
#include "fs/vfs/file.h"
#include "fs/vfs/propagate.h"
#include "libc/errno.h"
#include "libc/string.h"

#define OPTIONS_SIZE 128

struct flag_name {
    uint32_t flag;
    const char *name;
};
static const struct flag_name own_names[] = {
    {MS_NOSUID, ",nosuid"},           {MS_NODEV, ",nodev"},           {MS_NOEXEC, ",noexec"},
    {MS_NOATIME, ",noatime"},         {MS_NODIRATIME, ",nodiratime"}, {MS_RELATIME, ",relatime"},
    {MS_NOSYMFOLLOW, ",nosymfollow"},
};
static const struct flag_name super_names[] = {
    {MS_SYNCHRONOUS, ",sync"},
    {MS_DIRSYNC, ",dirsync"},
    {MS_MANDLOCK, ",mand"},
    {MS_LAZYTIME, ",lazytime"},
};

static void flag_names(struct text *t, uint32_t flags, const struct flag_name *names, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (flags & names[i].flag)
            text_printf(t, "%s", names[i].name);
}

static void own_options(struct text *t, const struct mount *m)
{
    flag_names(t, m->flags, own_names, sizeof(own_names) / sizeof(own_names[0]));
}

static void super_options(struct text *t, const struct superblock *sb)
{
    flag_names(t, sb->flags, super_names, sizeof(super_names) / sizeof(super_names[0]));
}

static void type_options(struct text *t, struct superblock *sb)
{
    char options[OPTIONS_SIZE] = "";

    if (sb->type->options)
        sb->type->options(sb, options, sizeof(options));
    text_printf(t, "%s", options);
}

static void escaped(struct text *t, const char *s)
{
    text_escape(t, s && *s ? s : "none", " \t\n");
    text_write(t, " ", 1);
}

/* What is being shown: a mount at its place below the reader's root. page: a frame. */
struct line {
    struct mount *mount;
    const char *at;
    const struct path *root;
    char *page;
};

/* [mount_lock held] */
static void mounts_line(struct text *t, const struct line *l)
{
    const struct mount *m = l->mount;

    escaped(t, m->source);
    escaped(t, l->at);
    text_printf(t, "%s %s", m->sb->type->name, mount_readonly(m) ? "ro" : "rw");
    super_options(t, m->sb);
    own_options(t, m);
    type_options(t, m->sb);
    text_printf(t, " 0 0\n");
}

/* [mount_lock held] No file system here has figures of its own. */
static void mountstats_line(struct text *t, const struct line *l)
{
    text_printf(t, "device ");
    escaped(t, l->mount->source);
    text_printf(t, "mounted on ");
    escaped(t, l->at);
    text_printf(t, "with fstype %s\n", l->mount->sb->type->name);
}

/* [mount_lock held] */
static void show_propagation(struct text *t, const struct line *l)
{
    const struct mount *m = l->mount;
    uint32_t from = m->master ? propagation_source(l->mount, l->root) : 0;

    if (m->group)
        text_printf(t, " shared:%u", m->group->id);
    if (m->master)
        text_printf(t, " master:%u", m->master->id);
    if (from && from != m->master->id)
        text_printf(t, " propagate_from:%u", from);
    if (m->unbindable)
        text_printf(t, " unbindable");
}

/* [mount_lock held] */
static void mountinfo_line(struct text *t, const struct line *l)
{
    const struct mount *m = l->mount;
    const struct superblock *sb = m->sb;
    uint32_t parent = m->parent ? m->parent->id : m->id;

    text_printf(t, "%u %u %u:%u ", m->id, parent, DEV_MAJOR(sb->dev), DEV_MINOR(sb->dev));
    escaped(t, mount_root_name(m, l->page, PAGE_SIZE));
    escaped(t, l->at);
    text_printf(t, "%s", m->flags & MS_RDONLY ? "ro" : "rw");
    own_options(t, m);
    show_propagation(t, l);
    text_printf(t, " - %s ", sb->type->name);
    escaped(t, m->source);
    text_printf(t, "%s", sb->flags & MS_RDONLY ? "ro" : "rw");
    super_options(t, sb);
    type_options(t, m->sb);
    text_write(t, "\n", 1);
}

typedef void (*write_fn)(struct text *t, const struct line *l);

/* pages: two frames. */
static void each_mount(struct text *t, const struct path *root, write_fn line, char *const pages[2])
{
    struct mount *m;

    mutex_lock(&mount_lock);
    list_for_each_entry (m, &mounts, link) {
        struct path p = {m, m->root};
        struct line l = {.mount = m, .root = root, .page = pages[1]};
        bool reached;

        l.at = path_print_from(&p, root, pages[0], PAGE_SIZE, &reached);
        if (reached)
            line(t, &l);
    }
    mutex_unlock(&mount_lock);
}

static int show(struct text *t, const struct target *who, write_fn line)
{
    char *pages[2] = {kalloc(), kalloc()};
    struct path root;
    int err = pages[0] && pages[1] ? target_root(who, &root) : -ENOMEM;

    if (!err) {
        each_mount(t, &root, line, pages);
        path_unref(&root);
    }
    for (unsigned i = 0; i < 2; i++)
        if (pages[i])
            kfree(pages[i]);
    return err;
}

int show_mounts(struct text *t, const struct target *who)
{
    return show(t, who, mounts_line);
}

int show_mountstats(struct text *t, const struct target *who)
{
    return show(t, who, mountstats_line);
}

int show_mountinfo(struct text *t, const struct target *who)
{
    return show(t, who, mountinfo_line);
}
