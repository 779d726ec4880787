/*
 * Handles of files, which outlive names and moves: a file system that lives in memory gives out the
 * numbers of its files, which come again after 4,294,967,295 others, and looks through its names
 * for one. Those on disks and /proc give out none. man 2 open_by_handle_at
 */
#include "fs/vfs/internal.h"
#include "fs/vfs/mount.h"
#include "arch/uaccess.h"

#define HANDLE_MOST    128u /* bytes */
#define FILE_ID_NUMBER 1    /* Linux's FILEID_INO32_GEN */
#define FILE_ID_NONE   255  /* it did not fit */

struct handle_head {
    uint32_t bytes;
    int32_t type;
};

struct file_id {
    uint32_t generation, ino, ino_high;
};

/* Whether all names of the file system are dentries. */
static bool gives_out_handles(const struct superblock *sb)
{
    return sb && sb->root && !sb->root->inode->ops->lookup;
}

/* -EOVERFLOW where there is no room: how much is needed is told all the same. */
static long put_handle(const struct path *p, void __user *uhandle, void __user *umount)
{
    const struct file_id id = {.ino = p->dentry->inode->ino};
    struct handle_head h;
    bool fits;

    if (!gives_out_handles(p->dentry->inode->sb))
        return -EOPNOTSUPP;
    if (copy_from_user(&h, uhandle, sizeof(h)))
        return -EFAULT;
    if (h.bytes > HANDLE_MOST)
        return -EINVAL;
    fits = h.bytes >= sizeof(id);
    h = (struct handle_head){sizeof(id), fits ? FILE_ID_NUMBER : FILE_ID_NONE};
    if (put_user_u32(umount, p->mount->id) || copy_to_user(uhandle, &h, sizeof(h)))
        return -EFAULT;
    if (!fits)
        return -EOVERFLOW;
    return copy_to_user((char __user *)uhandle + sizeof(h), &id, sizeof(id));
}

long sys_name_to_handle_at(uint32_t dirfd, const char __user *upath, void __user *uhandle,
                           void __user *umount, uint32_t flags)
{
    struct path p;
    long err;

    if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    err = user_lookup(
        (int)dirfd, upath,
        (flags & AT_EMPTY_PATH) | (flags & AT_SYMLINK_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW), &p);
    if (err)
        return err;
    err = put_handle(&p, uhandle, umount);
    path_unref(&p);
    return err;
}

/* A place on the file system that the handle is of. A reference in *out. */
static int where_from(int fd, struct path *out)
{
    struct file *f;

    if (fd == AT_FDCWD) {
        *out = fs_context_cwd();
        return 0;
    }
    f = fd_get(fd);
    if (!f)
        return -EBADF;
    *out = (struct path){f->mount, f->dentry};
    if (f->dentry)
        path_ref(out);
    file_put(f);
    return out->dentry ? 0 : -ESTALE;
}

/* From a place on the file system to the file there that id names. */
static int find_by_id(struct path *p, const struct handle_head *h, const struct file_id *id)
{
    struct superblock *sb = p->mount->sb;
    struct dentry *d = NULL;

    if (gives_out_handles(sb) && h->bytes >= sizeof(*id) && !id->ino_high)
        d = dentry_tree_find(sb->root, id->ino);
    if (!d)
        return -ESTALE;
    dentry_unref(p->dentry);
    p->dentry = d;
    return 0;
}

static long open_found(const struct path *p, uint32_t flags)
{
    struct file *f;
    int err;

    if ((flags & O_DIRECTORY) && !S_ISDIR(p->dentry->inode->mode))
        return -ENOTDIR;
    err = path_open(p, flags, false, &f);
    return err ? err : fd_install(f, 0, flags & O_CLOEXEC);
}

long sys_open_by_handle_at(uint32_t mountfd, void __user *uhandle, uint32_t flags)
{
    struct handle_head h;
    struct file_id id = {0};
    struct path p;
    long ret;

    if (!capable(CAP_DAC_READ_SEARCH))
        return -EPERM;
    if (copy_from_user(&h, uhandle, sizeof(h)))
        return -EFAULT;
    if (h.bytes > HANDLE_MOST || h.bytes == 0)
        return -EINVAL;
    if (copy_from_user(&id, (char __user *)uhandle + sizeof(h),
                       h.bytes < sizeof(id) ? h.bytes : sizeof(id)))
        return -EFAULT;
    ret = where_from((int)mountfd, &p);
    if (ret)
        return ret;
    ret = find_by_id(&p, &h, &id);
    if (!ret)
        ret = open_found(&p, flags);
    path_unref(&p);
    return ret;
}
