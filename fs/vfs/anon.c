/*
 * Files without a name: pipes, epoll sets, event counters, timers. Each has an inode of its own in
 * a file system that is not mounted anywhere.
 */
#include "fs/vfs/internal.h"

#define ANON_DEV MKDEV(0, 12)

static const struct inode_ops anon_inode_ops;
static const struct fs_type anon_fs_type = {.name = "anon_inodefs", .nodev = true};
static struct superblock anon_sb = {
    .type = &anon_fs_type, .dev = ANON_DEV, .link = LIST_INIT(anon_sb.link)};

struct inode *anon_inode(uint32_t mode)
{
    struct inode *i = inode_new(&anon_sb, mode);

    if (i)
        i->ops = &anon_inode_ops;
    return i;
}

bool inode_is_anon(const struct inode *i)
{
    return i->sb == &anon_sb;
}

static int anon_file(const struct file_ops *ops, void *private, uint32_t flags, struct file **out)
{
    struct inode *i = anon_inode(0600);

    if (!i)
        return -ENOMEM;
    *out = file_new(i, NULL, ops, flags);
    inode_unref(i);
    if (!*out)
        return file_new_error();
    (*out)->private = private;
    return 0;
}

int anon_fd(const struct file_ops *ops, void *private, uint32_t flags)
{
    struct file *f;
    int err = anon_file(ops, private, flags & (O_ACCMODE | O_NONBLOCK), &f);

    if (err) {
        struct file none = {.private = private};

        ops->release(&none);
        return err;
    }
    return fd_install(f, 0, flags & O_CLOEXEC);
}
