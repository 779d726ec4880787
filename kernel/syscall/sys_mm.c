/*
 * The system calls of memory. They check what the manual pages ask for and translate; mm/ does the
 * work.
 *
 * munmap, mprotect, brk, mmap, madvise and mincore begin without the kernel lock (alone.c): what
 * they touch is under mm/'s own. They take it where they look at credentials and limits, which
 * others change, for files whose mmap needs it, and in mm/ before what may sleep for a page or for
 * a pager.
 */
#include "arch/processors.h"
#include "arch/uaccess.h"
#include "fs/vfs/file.h"
#include "fs/vfs/vfs.h"
#include "kernel/thread/personality.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"
#include "mm/vm.h"

#define PROT_SEM       0x8u /* asks for nothing */
#define PROT_GROWSDOWN 0x01000000u
#define PROT_GROWSUP   0x02000000u
#define PROT_ALL       (VM_PROT_READ | VM_PROT_WRITE | VM_PROT_EXEC)

#define MAP_SHARED          0x01u
#define MAP_PRIVATE         0x02u
#define MAP_SHARED_VALIDATE 0x03u
#define MAP_TYPE            0x0fu
#define MAP_FIXED           0x10u
#define MAP_ANONYMOUS       0x20u
#define MAP_GROWSDOWN       0x0100u
#define MAP_LOCKED          0x2000u
#define MAP_NORESERVE       0x4000u
#define MAP_POPULATE        0x8000u
#define MAP_HUGETLB         0x40000u
#define MAP_FIXED_NOREPLACE 0x100000u
/* What MAP_SHARED_VALIDATE knows, two huge page sizes included; the rest is -EOPNOTSUPP. */
#define MAP_VALIDATED 0x7c07f973u

#define MS_ASYNC      1u
#define MS_INVALIDATE 2u
#define MS_SYNC       4u

#define MCL_CURRENT 1u
#define MCL_FUTURE  2u
#define MCL_ONFAULT 4u

static struct vm_space *space(void)
{
    return proc_current()->space;
}

static uint32_t lock_limit_bytes(void)
{
    return capable(CAP_IPC_LOCK) ? UINT32_MAX : proc_current()->rlimits[RLIMIT_MEMLOCK].cur;
}

/* Pages that the current process may lock; root may lock all. */
static uint32_t lock_limit(void)
{
    uint32_t bytes = lock_limit_bytes();

    return bytes == UINT32_MAX ? UINT32_MAX : bytes >> PAGE_SHIFT;
}

/* A limit of less than a page is one that is reached at once, not a prohibition. */
static bool may_lock(void)
{
    return lock_limit_bytes() != 0;
}

static bool may_lock_more(size_t bytes)
{
    uint32_t pages = (uint32_t)(((uint64_t)bytes + PAGE_SIZE - 1) >> PAGE_SHIFT);

    return lock_limit() == UINT32_MAX || vm_locked_pages(space()) + pages <= lock_limit();
}

static uint16_t area_flags(uint32_t flags)
{
    uint16_t out = 0;

    if ((flags & MAP_TYPE) != MAP_PRIVATE)
        out |= VM_SHARED;
    if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE))
        out |= VM_FIXED;
    if (flags & MAP_FIXED_NOREPLACE)
        out |= VM_NOREPLACE;
    if (flags & MAP_GROWSDOWN)
        out |= VM_GROWSDOWN;
    if (flags & MAP_NORESERVE)
        out |= VM_NORESERVE;
    if (flags & MAP_LOCKED)
        out |= VM_LOCKED;
    return out;
}

/* A file must be open for reading; a shared mapping may be written only through a writable file. */
static int check_file(const struct file *f, uint32_t flags, struct vm_mapping *m)
{
    uint32_t mode = f->flags & O_ACCMODE;

    if (f->flags & O_PATH)
        return -EBADF;
    if ((m->flags & VM_SHARED) && mode != O_RDWR) {
        if ((m->prot & VM_PROT_WRITE) && mode != O_WRONLY)
            return -EACCES;
        m->maxprot &= ~VM_PROT_WRITE;
    }
    if ((m->flags & VM_SHARED) && mode != O_RDONLY && (f->inode->flags & INODE_APPEND))
        return -EACCES;
    if (mode == O_WRONLY)
        return -EACCES;
    if (mount_flags(f->mount) & MS_NOEXEC) {
        if (m->prot & VM_PROT_EXEC)
            return -EPERM;
        m->maxprot &= ~VM_PROT_EXEC;
    }
    if (!f->ops->mmap)
        return -ENODEV;
    return flags & MAP_GROWSDOWN ? -EINVAL : 0;
}

static int map_file(struct file *f, uint32_t flags, struct vm_mapping *m, vaddr_t *addr)
{
    int err = check_file(f, flags, m);

    m->backing = &f->mapped;
    if (!err)
        err = f->ops->mmap(f, m);
    if (!err) {
        err = vm_map(space(), m, addr);
        if (m->object)
            vm_object_unref(m->object);
    }
    return err;
}

static int map_anonymous(uint32_t flags, struct vm_mapping *m, vaddr_t *addr)
{
    int err;

    m->pgoff = 0;
    if (m->flags & VM_SHARED) {
        if (flags & MAP_GROWSDOWN)
            return -EINVAL;
        m->object = vm_object_create_anon(((uint64_t)m->len + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1ull));
        if (!m->object)
            return -ENOMEM;
    }
    if (m->object && !(flags & MAP_NORESERVE) && !vm_object_promise(m->object))
        err = -ENOMEM;
    else
        err = vm_map(space(), m, addr);
    if (m->object)
        vm_object_unref(m->object);
    return err;
}

/* What is wrong with the call whatever the file is. */
static int check_mmap(size_t len, uint32_t flags, uint32_t pgoff)
{
    uint32_t type = flags & MAP_TYPE,
             pages = (uint32_t)(((uint64_t)len + PAGE_SIZE - 1) >> PAGE_SHIFT);

    if (len == 0)
        return -EINVAL;
    if (len > USER_TOP)
        return -ENOMEM;
    if (pgoff + pages < pgoff)
        return -EOVERFLOW;
    if (type != MAP_PRIVATE && type != MAP_SHARED && type != MAP_SHARED_VALIDATE)
        return -EINVAL;
    if (type == MAP_SHARED_VALIDATE && (flags & MAP_ANONYMOUS))
        return -EINVAL;
    if (type == MAP_SHARED_VALIDATE && (flags & ~MAP_VALIDATED))
        return -EOPNOTSUPP;
    if (flags & MAP_HUGETLB)
        return flags & MAP_ANONYMOUS ? -ENOMEM : -EINVAL;
    if (!(flags & MAP_LOCKED) && !vm_future_flags(space()))
        return 0;
    kernel_need();
    if ((flags & MAP_LOCKED) && !may_lock())
        return -EPERM;
    return may_lock_more(len) ? 0 : -EAGAIN;
}

/* That there is something already counts before what is wrong with the file. */
static int check_free(const struct vm_mapping *m)
{
    struct vm_area_info a;

    if ((m->addr & ~PAGE_MASK) || (m->addr < USER_MIN && !(m->flags & VM_LOW)))
        return 0;  /* refused for that */
    kernel_need(); /* the area's file is asked for its name */
    return vm_next_area(space(), m->addr, &a) && a.start < m->addr + m->len ? -EEXIST : 0;
}

/* f: NULL for anonymous memory. */
static long do_mmap(vaddr_t addr, size_t len, uint32_t prot, uint32_t flags, struct file *f,
                    uint32_t pgoff)
{
    struct vm_mapping m = {
        .addr = addr,
        .len = len,
        .prot = prot & PROT_ALL,
        .maxprot = PROT_ALL,
        .flags = area_flags(flags),
        .pgoff = pgoff,
    };
    int err = check_mmap(len, flags, pgoff);

    if (err)
        return err;
    if ((prot & VM_PROT_READ) && personality_has(READ_IMPLIES_EXEC) &&
        !(f && (mount_flags(f->mount) & MS_NOEXEC)))
        m.prot |= VM_PROT_EXEC;
    if (!(m.flags & VM_FIXED) && addr && addr < USER_MIN)
        m.addr = USER_MIN;
    if ((m.flags & VM_FIXED) && addr < USER_MIN) {
        kernel_need();
        if (capable(CAP_SYS_RAWIO))
            m.flags |= VM_LOW;
    }
    if (f && (m.flags & VM_NOREPLACE))
        err = check_free(&m);
    if (err)
        return err;
    err = f ? map_file(f, flags, &m, &addr) : map_anonymous(flags, &m, &addr);
    if (err)
        return err;
    if ((flags & (MAP_POPULATE | MAP_LOCKED)) || (vm_future_flags(space()) & VM_LOCKED)) {
        kernel_need();
        (void)vm_populate(space(), addr, len);
    }
    return (long)addr;
}

/* The descriptor counts first, whatever else is wrong. */
long sys_mmap2(uint32_t addr, uint32_t len, uint32_t prot, uint32_t flags, uint32_t fd,
               uint32_t pgoff)
{
    struct file *f;
    long r;

    if (flags & MAP_ANONYMOUS)
        return do_mmap(addr, len, prot, flags, NULL, pgoff);
    f = fd_get_beside((int)fd, BESIDE_MMAP);
    if (!f)
        return -EBADF;
    r = do_mmap(addr, len, prot, flags, f, pgoff);
    file_put(f);
    return r;
}

/* The old call: one pointer to six words, the offset in bytes. */
long sys_mmap(const void __user *uargs)
{
    uint32_t a[6];

    if (copy_from_user(a, uargs, sizeof(a)))
        return -EFAULT;
    if (a[5] & ~PAGE_MASK)
        return -EINVAL;
    return sys_mmap2(a[0], a[1], a[2], a[3], a[4], a[5] >> PAGE_SHIFT);
}

long sys_munmap(uint32_t addr, uint32_t len)
{
    return vm_unmap(space(), addr, len);
}

long sys_mprotect(uint32_t addr, uint32_t len, uint32_t prot)
{
    uint8_t rights;

    if (((prot & PROT_GROWSDOWN) && (prot & PROT_GROWSUP)) || (addr & ~PAGE_MASK))
        return -EINVAL;
    if (len == 0)
        return 0;
    if (prot & ~(PROT_ALL | PROT_SEM | PROT_GROWSDOWN | PROT_GROWSUP))
        return -EINVAL;
    rights = (prot & PROT_ALL) | (prot & PROT_GROWSDOWN ? VM_PROT_GROWSDOWN : 0) |
             (prot & PROT_GROWSUP ? VM_PROT_GROWSUP : 0);
    if ((prot & VM_PROT_READ) && !(prot & VM_PROT_EXEC) && personality_has(READ_IMPLIES_EXEC) &&
        vm_protect(space(), addr, len, rights | VM_PROT_EXEC) == 0)
        return 0;
    return vm_protect(space(), addr, len, rights); /* what may not be run, or is wrong otherwise */
}

long sys_brk(uint32_t addr)
{
    if (vm_future_flags(space())) {
        kernel_need();
        vaddr_t now = vm_brk(space(), 0);
        uint32_t grows = ((addr + PAGE_SIZE - 1) & PAGE_MASK) - ((now + PAGE_SIZE - 1) & PAGE_MASK);
        if (addr > now && !may_lock_more(grows))
            return (long)now;
    }
    return (long)vm_brk(space(), addr);
}

long sys_mremap(uint32_t addr, uint32_t old_len, uint32_t new_len, uint32_t flags,
                uint32_t new_addr)
{
    vaddr_t at;
    const struct vm_remap r = {addr, old_len, new_len, flags, new_addr, lock_limit()};
    int err = vm_remap(space(), &r, &at);

    return err ? err : (long)at;
}

long sys_remap_file_pages(uint32_t addr, uint32_t len, uint32_t prot, uint32_t pgoff)
{
    if (prot)
        return -EINVAL;
    return vm_remap_file_pages(space(), addr, len, pgoff);
}

/* What writes pages out, makes holes in files or tells them of stores needs the kernel lock. */
long sys_madvise(uint32_t addr, uint32_t len, uint32_t advice)
{
    switch (advice) {
    case VM_ADVICE_REMOVE:
    case VM_ADVICE_PAGEOUT:
    case VM_ADVICE_POPULATE_READ:
    case VM_ADVICE_POPULATE_WRITE:
        kernel_need();
    }
    return vm_advise(space(), addr, len, (int)advice);
}

/* A range from whole pages; false when it wraps. */
static bool whole_pages(uint32_t addr, uint32_t len)
{
    uint32_t rounded = (len + PAGE_SIZE - 1) & PAGE_MASK;

    return rounded >= len && addr + rounded >= addr;
}

long sys_msync(uint32_t addr, uint32_t len, uint32_t flags)
{
    if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) || (addr & ~PAGE_MASK))
        return -EINVAL;
    if ((flags & MS_ASYNC) && (flags & MS_SYNC))
        return -EINVAL;
    if (len > PAGE_MASK)
        return 0; /* nothing, once it is rounded up */
    if (!whole_pages(addr, len))
        return -ENOMEM;
    return vm_sync(space(), addr, len, flags & MS_SYNC, flags & MS_INVALIDATE);
}

long sys_mincore(uint32_t addr, uint32_t len, uint8_t __user *uvec)
{
    uint32_t pages = (uint32_t)(((uint64_t)len + PAGE_SIZE - 1) >> PAGE_SHIFT);
    uint8_t vec[128];
    int err = 0;

    if (addr & ~PAGE_MASK)
        return -EINVAL;
    if (!user_range_ok((const void __user *)addr, len))
        return -ENOMEM;
    if (!user_range_ok(uvec, pages))
        return -EFAULT;
    for (uint32_t done = 0, n; done < pages && !err; done += n) {
        n = pages - done < sizeof(vec) ? pages - done : sizeof(vec);
        err = vm_resident(space(), addr + (done << PAGE_SHIFT), n, vec);
        if (!err)
            err = copy_to_user(uvec + done, vec, n);
    }
    return err;
}

/* ---- mlock ---- */

static long lock_range(uint32_t addr, uint32_t len, uint16_t flags)
{
    if (!may_lock())
        return -EPERM;
    return vm_lock_range(space(), addr, len, flags, lock_limit());
}

long sys_mlock(uint32_t addr, uint32_t len)
{
    return lock_range(addr, len, VM_LOCKED);
}

long sys_mlock2(uint32_t addr, uint32_t len, uint32_t flags)
{
    if (flags & ~1u)
        return -EINVAL;
    return lock_range(addr, len, flags ? VM_LOCKED | VM_LOCKONFAULT : VM_LOCKED);
}

long sys_munlock(uint32_t addr, uint32_t len)
{
    return vm_lock_range(space(), addr, len, 0, UINT32_MAX);
}

long sys_mlockall(uint32_t flags)
{
    uint16_t lock = flags & MCL_ONFAULT ? VM_LOCKED | VM_LOCKONFAULT : VM_LOCKED;

    if (!flags || (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) || flags == MCL_ONFAULT)
        return -EINVAL;
    if (!may_lock())
        return -EPERM;
    return vm_lock_all(space(), flags & MCL_CURRENT ? lock : 0, flags & MCL_FUTURE ? lock : 0,
                       false, lock_limit());
}

long sys_munlockall(void)
{
    return vm_lock_all(space(), 0, 0, true, UINT32_MAX);
}
