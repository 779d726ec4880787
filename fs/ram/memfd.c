/*
 * Files in memory without a name in any tree: memfd_create; and seals, the promises about a file's
 * contents that nobody can take back. man 2 memfd_create, man 2 fcntl.
 *
 * Every file of the in-memory file systems has seals (F_SEALABLE); all but those made for sealing
 * are born with F_SEAL_SEAL.
 */
#include "arch/uaccess.h"
#include "fs/vfs/internal.h"
#include "fs/ram/ramfs.h"
#include "libc/string.h"

#define MFD_CLOEXEC       1u
#define MFD_ALLOW_SEALING 2u
#define MFD_HUGETLB       4u
#define MFD_HUGE          (MFD_HUGETLB | 63u << 26) /* with the size's logarithm */

#define MEMFD_PREFIX "/memfd:"
#define PREFIX_LEN   (sizeof(MEMFD_PREFIX) - 1)
#define NAME_LONGEST (NAME_MAX - (PREFIX_LEN - 1))

#define F_ADD_SEALS 1033
#define F_ALL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)

/* ---- memfd_create ---- */

/* A dentry outside every tree, unlinked from birth. */
static struct dentry *memfd_dentry(const char *path)
{
    struct dentry *d = dentry_new(NULL, path + 1, strlen(path + 1));

    if (!d)
        return NULL;
    d->unlinked = true;
    d->inode = ramfs_unnamed(path, S_IFREG | 0777);
    if (!d->inode) {
        dentry_unref(d);
        return NULL;
    }
    return d;
}

/* As on Linux the first descriptor is no reason for ETXTBSY: fexecve may run what it wrote. */
static int memfd_open(const char *path, uint32_t flags, struct file **out)
{
    struct dentry *d = memfd_dentry(path);
    int err;

    if (!d)
        return -ENOMEM;
    if (flags & MFD_ALLOW_SEALING)
        d->inode->seals &= ~F_SEAL_SEAL;
    err = path_open(&(struct path){&nowhere, d}, O_RDWR | O_LARGEFILE, true, out);
    if (!err)
        file_forget_writer(*out);
    dentry_unref(d);
    return err;
}

/* The user's name after the prefix, in kernel memory of NAME_MAX + 2 bytes. */
static int memfd_path(char *path, const char __user *uname)
{
    int len;

    memcpy(path, MEMFD_PREFIX, PREFIX_LEN);
    len = strncpy_from_user(path + PREFIX_LEN, uname, NAME_LONGEST + 1);
    return len == -ENAMETOOLONG ? -EINVAL : len < 0 ? len : 0;
}

/* Huge pages are ENOSYS, as in a Linux without them; flags of later kernels are unknown, as they
 * are to Linux 6.1. */
long sys_memfd_create(const char __user *uname, uint32_t flags)
{
    struct file *f;
    char *path;
    long r;

    if (flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING | (flags & MFD_HUGETLB ? MFD_HUGE : 0)))
        return -EINVAL;
    path = kmalloc(NAME_MAX + 2);
    if (!path)
        return -ENOMEM;
    r = memfd_path(path, uname);
    if (!r)
        r = fd_check_free(0);
    if (!r && (flags & MFD_HUGETLB))
        r = -ENOSYS;
    if (!r)
        r = memfd_open(path, flags, &f);
    kmfree(path);
    return r ? r : fd_install(f, 0, flags & MFD_CLOEXEC);
}

/* ---- Seals ---- */

int seals_check_size(const struct inode *i, uint64_t size)
{
    uint64_t now = vm_object_size(i->object);

    if ((size < now && (i->seals & F_SEAL_SHRINK)) || (size > now && (i->seals & F_SEAL_GROW)))
        return -EPERM;
    return 0;
}

long seals_writable_length(const struct inode *i, uint64_t pos, size_t len)
{
    uint64_t size = vm_object_size(i->object);

    if (i->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
        return -EPERM;
    if (!(i->seals & F_SEAL_GROW) || pos + len <= size)
        return (long)len;
    size &= ~(uint64_t)(PAGE_SIZE - 1);
    return pos < size ? (long)(size - pos) : -EPERM;
}

/* A mapping that might be written goes against F_SEAL_WRITE even while it is read-only; mm/ counts
 * those, see vm_object_deny_writers. */
int seals_check_mapping(const struct inode *i, struct vm_mapping *m)
{
    if (!(m->flags & VM_SHARED) || !(i->seals & F_SEAL_FUTURE_WRITE))
        return 0;
    if (m->prot & VM_PROT_WRITE)
        return -EPERM;
    if (!(i->seals & F_SEAL_WRITE))
        m->maxprot &= ~VM_PROT_WRITE;
    return 0;
}

static long add_seals(struct file *f, uint32_t seals)
{
    struct inode *i = f->inode;
    long err = 0;

    if (!file_writable(f))
        return -EPERM;
    if (seals & ~F_ALL_SEALS)
        return -EINVAL;
    mutex_lock(&i->lock);
    if (!(i->seals & F_SEALABLE))
        err = -EINVAL;
    else if (i->seals & F_SEAL_SEAL)
        err = -EPERM;
    else if ((seals & F_SEAL_WRITE) && !vm_object_deny_writers(i->object))
        err = -EBUSY;
    else
        i->seals |= seals;
    mutex_unlock(&i->lock);
    return err;
}

long seals_fcntl(struct file *f, uint32_t cmd, uint32_t arg)
{
    if (cmd == F_ADD_SEALS)
        return add_seals(f, arg);
    return f->inode->seals & F_SEALABLE ? (long)(f->inode->seals & F_ALL_SEALS) : -EINVAL;
}
