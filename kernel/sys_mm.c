/*
 * The system calls of memory: mmap, munmap, mprotect, msync, brk. They check what the manual pages
 * ask for and translate; mm/ does the work.
 */
#include "arch/uaccess.h"
#include "fs/file.h"
#include "fs/vfs.h"
#include "kernel/proc.h"
#include "libc/errno.h"
#include "mm/vm.h"

#define PROT_GROWSDOWN 0x01000000u
#define PROT_ALL       (VM_PROT_READ | VM_PROT_WRITE | VM_PROT_EXEC)

#define MAP_SHARED          0x01u
#define MAP_PRIVATE         0x02u
#define MAP_SHARED_VALIDATE 0x03u
#define MAP_TYPE            0x0fu
#define MAP_FIXED           0x10u
#define MAP_ANONYMOUS       0x20u
#define MAP_GROWSDOWN       0x0100u
#define MAP_NORESERVE       0x4000u
#define MAP_POPULATE        0x8000u
#define MAP_FIXED_NOREPLACE 0x100000u

#define MS_ASYNC      1u
#define MS_INVALIDATE 2u
#define MS_SYNC       4u

/* What MAP_SHARED_VALIDATE knows; the rest is -EOPNOTSUPP. */
#define MAP_KNOWN 0x1fffffu

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
    return out;
}

/* A file must be open for reading; a shared mapping may be written only through a writable file. */
static int check_file(const struct file *f, uint32_t flags, struct vm_mapping *m)
{
    uint32_t mode = f->flags & O_ACCMODE;

    if (f->flags & O_PATH)
        return -EBADF;
    if (mode == O_WRONLY)
        return -EACCES;
    if ((m->flags & VM_SHARED) && mode != O_RDWR) {
        if (m->prot & VM_PROT_WRITE)
            return -EACCES;
        m->maxprot &= ~VM_PROT_WRITE;
    }
    if (flags & MAP_GROWSDOWN)
        return -EINVAL;
    return f->ops->mmap ? 0 : -ENODEV;
}

static int map_file(int fd, uint32_t flags, struct vm_mapping *m, vaddr_t *addr)
{
    struct file *f = fd_get(fd);
    int err;

    if (!f)
        return -EBADF;
    err = check_file(f, flags, m);
    if (!err)
        err = f->ops->mmap(f, m);
    if (!err) {
        err = vm_map(proc_current()->space, m, addr);
        if (m->object)
            vm_object_unref(m->object);
    }
    file_put(f);
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
    err = vm_map(proc_current()->space, m, addr);
    if (m->object)
        vm_object_unref(m->object);
    return err;
}

/* MAP_POPULATE: what cannot be had is left to the first access, as man 2 mmap allows. */
static void populate(vaddr_t addr, size_t len, uint8_t prot)
{
    for (vaddr_t va = addr; va < addr + len && prot; va += PAGE_SIZE) {
        enum vm_result r =
            vm_fault(proc_current()->space, va, prot & VM_PROT_WRITE ? VM_WRITE : VM_READ);
        if (r != VM_MINOR && r != VM_MAJOR)
            return;
    }
}

static long do_mmap(vaddr_t addr, size_t len, uint32_t prot, uint32_t flags, int fd, uint32_t pgoff)
{
    struct vm_mapping m = {
        .addr = addr,
        .len = len,
        .prot = prot & PROT_ALL,
        .maxprot = PROT_ALL,
        .flags = area_flags(flags),
        .pgoff = pgoff,
    };
    uint32_t type = flags & MAP_TYPE;
    int err;

    if (type != MAP_PRIVATE && type != MAP_SHARED && type != MAP_SHARED_VALIDATE)
        return -EINVAL;
    if (type == MAP_SHARED_VALIDATE && !(flags & MAP_ANONYMOUS) && (flags & ~MAP_KNOWN))
        return -EOPNOTSUPP;
    if (type == MAP_SHARED_VALIDATE && (flags & MAP_ANONYMOUS))
        return -EINVAL;
    if (len == 0)
        return -EINVAL;
    if (pgoff + (len >> PAGE_SHIFT) < pgoff)
        return -EOVERFLOW;
    if (flags & MAP_ANONYMOUS)
        err = map_anonymous(flags, &m, &addr);
    else
        err = map_file(fd, flags, &m, &addr);
    if (err)
        return err;
    if (flags & MAP_POPULATE)
        populate(addr, len, m.prot);
    return (long)addr;
}

long sys_mmap2(uint32_t addr, uint32_t len, uint32_t prot, uint32_t flags, uint32_t fd,
               uint32_t pgoff)
{
    return do_mmap(addr, len, prot, flags, (int)fd, pgoff);
}

/* The old call: one pointer to six words, the offset in bytes. */
long sys_mmap(uint32_t uargs)
{
    uint32_t a[6];

    if (copy_from_user(a, (const void *)uargs, sizeof(a)))
        return -EFAULT;
    if (a[5] & ~PAGE_MASK)
        return -EINVAL;
    return do_mmap(a[0], a[1], a[2], a[3], (int)a[4], a[5] >> PAGE_SHIFT);
}

long sys_munmap(uint32_t addr, uint32_t len)
{
    return vm_unmap(proc_current()->space, addr, len);
}

long sys_mprotect(uint32_t addr, uint32_t len, uint32_t prot)
{
    if (prot & ~(PROT_ALL | PROT_GROWSDOWN))
        return -EINVAL;
    return vm_protect(proc_current()->space, addr, len, prot & PROT_ALL);
}

long sys_brk(uint32_t addr)
{
    return (long)vm_brk(proc_current()->space, addr);
}

/* Nothing to write: what is mapped and what is stored are the same pages. Holes are an error. */
long sys_msync(uint32_t addr, uint32_t len, uint32_t flags)
{
    uint32_t end = addr + ((len + PAGE_SIZE - 1) & PAGE_MASK);
    struct vm_area_info area;

    if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) || (addr & ~PAGE_MASK) ||
        (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
        return -EINVAL;
    if (end < addr)
        return -ENOMEM;
    while (addr < end) {
        if (!vm_next_area(proc_current()->space, addr, &area) || area.start > addr)
            return -ENOMEM;
        addr = area.end;
    }
    return 0;
}
