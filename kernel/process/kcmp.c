/*
 * kcmp: whether two processes share something, and an order of what they do not, by which tools
 * sort without learning addresses. man 2 kcmp
 */
#include "fs/vfs/file.h"
#include "kernel/machine/random.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"

enum { KCMP_FILE, KCMP_VM, KCMP_FILES, KCMP_FS, KCMP_SIGHAND, KCMP_IO, KCMP_SYSVSEM, KCMP_TYPES };

/* Keeps the order of all things the same while the machine runs, and says nothing of it. */
static uint32_t hidden(const void *p)
{
    static uint32_t keys[2];

    if (!keys[1]) {
        random_bytes(keys, sizeof(keys));
        keys[1] |= 1;
    }
    return ((uint32_t)p ^ keys[0]) * keys[1];
}

/* 0: the same, 1: the first comes first, 2: the second. */
static long compare(const void *a, const void *b)
{
    return a == b ? 0 : hidden(a) < hidden(b) ? 1 : 2;
}

static const void *part_of(const struct proc *p, uint32_t type)
{
    switch (type) {
    case KCMP_VM:
        return p->space;
    case KCMP_FILES:
        return p->files;
    case KCMP_FS:
        return p->fs;
    case KCMP_SIGHAND:
        return p->handlers;
    case KCMP_SYSVSEM:
        return list_empty(&p->sem_undos) ? NULL : &p->sem_undos;
    default:
        return NULL; /* I/O contexts: there are none */
    }
}

static long compare_files(struct files *a, uint32_t fd1, struct files *b, uint32_t fd2)
{
    struct file *f = a ? files_get(a, (int)fd1) : NULL, *g = b ? files_get(b, (int)fd2) : NULL;
    long ret = f && g ? compare(f, g) : -EBADF;

    if (f)
        file_put(f);
    if (g)
        file_put(g);
    return ret;
}

long sys_kcmp(uint32_t pid1, uint32_t pid2, uint32_t type, uint32_t fd1, uint32_t fd2)
{
    struct files *a = NULL, *b = NULL;
    struct thread *t;
    struct proc *p, *q;
    long ret;

    spin_lock(&proc_lock);
    p = pid1 ? proc_find_any((int32_t)pid1, &t) : NULL;
    q = pid2 ? proc_find_any((int32_t)pid2, &t) : NULL;
    if (!p || !q)
        ret = -ESRCH;
    else if (!proc_may_inspect(p, INSPECT_REAL) || !proc_may_inspect(q, INSPECT_REAL))
        ret = -EPERM;
    else if (type >= KCMP_TYPES)
        ret = -EINVAL;
    else
        ret = compare(part_of(p, type), part_of(q, type));
    if (!ret && type == KCMP_FILE) {
        a = p->files;
        b = q->files;
        if (a)
            files_ref(a);
        if (b)
            files_ref(b);
    }
    spin_unlock(&proc_lock);
    if (!ret && type == KCMP_FILE)
        ret = compare_files(a, fd1, b, fd2);
    if (a)
        files_put(a);
    if (b)
        files_put(b);
    return ret;
}
