/*
 * PR_SET_MM: whoever restores a process (CRIU), or writes over its own arguments (setproctitle),
 * says where they lie. The words have no effect but on what /proc tells, apart from the heap's.
 */
#include "kernel/process/set_mm.h"
#include "arch/uaccess.h"
#include "fs/vfs/internal.h"
#include "kernel/process/exec.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/vm.h"

enum { /* man 2 PR_SET_MM */
       SET_START_CODE = 1,
       SET_END_CODE,
       SET_START_DATA,
       SET_END_DATA,
       SET_START_STACK,
       SET_START_BRK,
       SET_BRK,
       SET_ARG_START,
       SET_ARG_END,
       SET_ENV_START,
       SET_ENV_END,
       SET_AUXV,
       SET_EXE_FILE,
       SET_MAP,
       SET_MAP_SIZE,
};

/* In the order of struct prctl_mm_map. */
enum {
    START_CODE,
    END_CODE,
    START_DATA,
    END_DATA,
    START_BRK,
    BRK,
    START_STACK,
    ARG_START,
    ARG_END,
    ENV_START,
    ENV_END,
    WORDS,
};

struct mm_map {
    uint64_t word[WORDS];
    uint32_t auxv, auxv_size, exe_fd;
};
_Static_assert(sizeof(struct mm_map) == 100, "Linux i386 layout");

#define AUXV_BYTES (AUXV_WORDS * sizeof(uint32_t))
#define NO_FILE    0xffffffffu

/* ---- The words ---- */

static void words_now(const struct proc *p, uint64_t *w)
{
    struct vm_space_stats m;

    vm_space_stats(p->space, &m);
    w[START_CODE] = p->marks.start_code;
    w[END_CODE] = p->marks.end_code;
    w[START_DATA] = p->marks.start_data;
    w[END_DATA] = p->marks.end_data;
    w[START_BRK] = m.brk_start;
    w[BRK] = m.brk;
    w[START_STACK] = p->marks.start_stack;
    w[ARG_START] = p->arg_start;
    w[ARG_END] = p->arg_end;
    w[ENV_START] = p->env_start;
    w[ENV_END] = p->env_end;
}

/* heap: its two words, too, which brk() may have changed since words_now(). */
static void words_set(struct proc *p, const uint64_t *w, bool heap)
{
    spin_lock(&proc_lock);
    p->marks.start_code = (vaddr_t)w[START_CODE];
    p->marks.end_code = (vaddr_t)w[END_CODE];
    p->marks.start_data = (vaddr_t)w[START_DATA];
    p->marks.end_data = (vaddr_t)w[END_DATA];
    p->marks.start_stack = (vaddr_t)w[START_STACK];
    p->arg_start = (vaddr_t)w[ARG_START];
    p->arg_end = (vaddr_t)w[ARG_END];
    p->env_start = (vaddr_t)w[ENV_START];
    p->env_end = (vaddr_t)w[ENV_END];
    spin_unlock(&proc_lock);
    if (heap)
        vm_set_brk(p->space, (vaddr_t)w[START_BRK], (vaddr_t)w[BRK]);
}

/* All lie in the user's half, starts before ends; and the limit of data is kept. */
static int check_words(const struct proc *p, const uint64_t *w)
{
    uint64_t limit = p->rlimits[RLIMIT_DATA].cur;

    for (unsigned k = 0; k < WORDS; k++)
        if (w[k] < USER_MIN || w[k] >= USER_TOP)
            return -EINVAL;
    if (w[START_CODE] >= w[END_CODE] || w[START_DATA] > w[END_DATA] || w[START_BRK] > w[BRK] ||
        w[ARG_START] > w[ARG_END] || w[ENV_START] > w[ENV_END])
        return -EINVAL;
    if (limit != UINT32_MAX && w[BRK] - w[START_BRK] + w[END_DATA] - w[START_DATA] > limit)
        return -EINVAL;
    return 0;
}

static long set_word(struct proc *p, uint32_t what, uint32_t addr)
{
    static const uint8_t word_of[] = {
        [SET_START_CODE] = START_CODE,   [SET_END_CODE] = END_CODE,   [SET_START_DATA] = START_DATA,
        [SET_END_DATA] = END_DATA,       [SET_START_BRK] = START_BRK, [SET_BRK] = BRK,
        [SET_START_STACK] = START_STACK, [SET_ARG_START] = ARG_START, [SET_ARG_END] = ARG_END,
        [SET_ENV_START] = ENV_START,     [SET_ENV_END] = ENV_END,
    };
    bool in_an_area = what == SET_START_STACK || (what >= SET_ARG_START && what <= SET_ENV_END);
    struct vm_area_info area;
    uint64_t w[WORDS];
    int err;

    if (addr < USER_MIN || addr >= USER_TOP || what < SET_START_CODE || what > SET_ENV_END)
        return -EINVAL;
    words_now(p, w);
    w[word_of[what]] = addr;
    err = check_words(p, w);
    if (!err && in_an_area && !vm_next_area(p->space, addr, &area))
        err = -EFAULT;
    if (!err)
        words_set(p, w, what == SET_START_BRK || what == SET_BRK);
    return err;
}

/* ---- The auxiliary vector ---- */

static int take_auxv(const void __user *uauxv, uint32_t size, uint32_t **out)
{
    uint32_t *auxv;

    if (size > AUXV_BYTES)
        return -EINVAL;
    auxv = kzalloc(AUXV_BYTES);
    if (!auxv)
        return -ENOMEM;
    if (copy_from_user(auxv, uauxv, size)) {
        kmfree(auxv);
        return -EFAULT;
    }
    auxv[AUXV_WORDS - 2] = auxv[AUXV_WORDS - 1] = 0; /* AT_NULL */
    *out = auxv;
    return 0;
}

void give_auxv(struct proc *p, uint32_t *auxv)
{
    uint32_t *old;

    spin_lock(&proc_lock);
    old = p->auxv;
    p->auxv = auxv;
    spin_unlock(&proc_lock);
    kmfree(old);
}

int copy_auxv(struct proc *child, const struct proc *parent)
{
    uint32_t *auxv = kmalloc(AUXV_BYTES);

    if (!auxv)
        return -ENOMEM;
    memcpy(auxv, parent->auxv, AUXV_BYTES);
    child->auxv = auxv;
    return 0;
}

/* What follows what was said stays as it was, if need be as exec put it onto the stack. */
static int keep_rest(const struct proc *p, uint32_t *auxv, uint32_t size)
{
    uint32_t there = p->auxv_end - p->auxv_start;

    if (p->auxv)
        memcpy((char *)auxv + size, (const char *)p->auxv + size, AUXV_BYTES - size);
    else if (size < there && there <= AUXV_BYTES)
        return copy_from_user((char *)auxv + size, (const void __user *)(p->auxv_start + size),
                              there - size);
    return 0;
}

static long set_auxv(struct proc *p, const void __user *uauxv, uint32_t size)
{
    uint32_t *auxv;
    int err = take_auxv(uauxv, size, &auxv);

    if (err)
        return err;
    err = keep_rest(p, auxv, size);
    if (err)
        kmfree(auxv);
    else
        give_auxv(p, auxv);
    return err;
}

/* ---- The program's file ---- */

/* Whether something of the file is mapped. */
static bool is_mapped(const struct proc *p, const struct file *f)
{
    struct vm_area_info area;
    vaddr_t at = 0;

    while (vm_next_area(p->space, at, &area)) {
        if (area.object && area.object == f->inode->object)
            return true;
        at = area.end;
        sched_point();
    }
    return false;
}

/* Another thread may replace the old one while this looks. */
static int check_exe(struct proc *p, const struct file *f)
{
    struct file *old;
    int err = 0;

    spin_lock(&proc_lock);
    old = p->exe;
    if (old)
        file_ref(old);
    spin_unlock(&proc_lock);
    if (!S_ISREG(f->inode->mode) || (f->mount->flags & MS_NOEXEC) ||
        inode_permission(f->inode, MAY_EXEC))
        err = -EACCES;
    else if (old && is_mapped(p, old))
        err = -EBUSY;
    if (old)
        file_put(old);
    return err;
}

static int replace_exe(struct proc *p, struct file *f)
{
    struct file *old;
    int err = check_exe(p, f);

    if (err)
        return err;
    if (file_deny_write(f))
        return -EACCES;
    file_ref(f);
    spin_lock(&proc_lock);
    old = p->exe;
    p->exe = f;
    spin_unlock(&proc_lock);
    if (old)
        file_put(old);
    return 0;
}

static long set_exe(struct proc *p, uint32_t fd)
{
    struct file *f = fd_get((int)fd);
    int err;

    if (!f)
        return -EBADF;
    err = replace_exe(p, f);
    file_put(f);
    return err;
}

/* ---- All of it at once ---- */

static long set_map(struct proc *p, const void __user *umap, uint32_t size)
{
    uint32_t *auxv = NULL;
    struct mm_map m;
    long err;

    if (size != sizeof(m))
        return -EINVAL;
    if (copy_from_user(&m, umap, sizeof(m)))
        return -EFAULT;
    err = check_words(p, m.word);
    if (!err && m.auxv_size)
        err = m.auxv ? take_auxv((const void __user *)m.auxv, m.auxv_size, &auxv) : -EINVAL;
    if (!err && m.exe_fd != NO_FILE) {
        bool may = capable(CAP_CHECKPOINT_RESTORE) || capable(CAP_SYS_ADMIN);

        err = may ? set_exe(p, m.exe_fd) : -EPERM;
    }
    if (err) {
        kmfree(auxv);
        return err;
    }
    words_set(p, m.word, true);
    if (auxv)
        give_auxv(p, auxv);
    return 0;
}

long set_mm(uint32_t what, uint32_t addr, uint32_t size)
{
    struct proc *p = proc_current();

    if (size && what != SET_AUXV && what != SET_MAP && what != SET_MAP_SIZE)
        return -EINVAL;
    if (what == SET_MAP_SIZE)
        return put_user_u32((void __user *)addr, sizeof(struct mm_map));
    if (what == SET_MAP)
        return set_map(p, (const void __user *)addr, size);
    if (!capable(CAP_SYS_RESOURCE))
        return -EPERM;
    if (what == SET_EXE_FILE)
        return set_exe(p, addr);
    if (what == SET_AUXV)
        return set_auxv(p, (const void __user *)addr, size);
    return set_word(p, what, addr);
}
