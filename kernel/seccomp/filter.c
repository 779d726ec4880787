/*
 * Modes and filters of threads: who has which, how they are handed on.
 */
#include "arch/trap.h"
#include "arch/uaccess.h"
#include "kernel/seccomp/seccomp.h"
#include "kernel/thread/trace.h"
#include "libc/errno.h"

#define FLAG_TSYNC       0x01u
#define FLAG_LOG         0x02u
#define FLAG_SPEC_ALLOW  0x04u
#define FLAG_TSYNC_ESRCH 0x10u
#define FLAGS_KNOWN      (FLAG_TSYNC | FLAG_LOG | FLAG_SPEC_ALLOW | FLAG_TSYNC_ESRCH)

/* Instructions of all filters of a thread, each with FILTER_COST more. */
#define CHAIN_MOST  32768u
#define FILTER_COST 4u

struct seccomp_filter {
    uint32_t refs; /* [proc_lock] threads, and the filter behind it */
    struct seccomp_filter *before;
    bool logs; /* FLAG_LOG */
    struct bpf_program program;
};

static uint32_t moded; /* [proc_lock] threads that have a mode */

/* [proc_lock held] */
static void count_moded(int n)
{
    moded += (uint32_t)n;
    if (moded)
        trace_mask |= TRACE_FILTERS;
    else
        trace_mask &= ~(uint32_t)TRACE_FILTERS;
}

/* [proc_lock held] t has the mode from now on. */
static void set_mode(struct thread *t, uint8_t mode)
{
    if (t->seccomp == SECCOMP_NONE)
        count_moded(1);
    t->seccomp = mode;
}

/* [no lock] Drops a reference; may sleep. */
static void put(struct seccomp_filter *f)
{
    while (f) {
        struct seccomp_filter *before = f->before;
        bool last;

        spin_lock(&proc_lock);
        last = --f->refs == 0;
        spin_unlock(&proc_lock);
        if (!last)
            return;
        bpf_free(&f->program);
        kmfree(f);
        f = before;
        sched_point();
    }
}

/* ---- Judging ---- */

static bool strict_allows(uint32_t nr)
{
    return nr == 1 || nr == 3 || nr == 4 || nr == 119; /* exit, read, write, sigreturn */
}

static int32_t rank(uint32_t ret)
{
    return (int32_t)SECCOMP_ACTION(ret);
}

uint32_t seccomp_judge(const struct trapframe *tf)
{
    const struct thread *t = thread_current();
    struct seccomp_data d = {.nr = (int32_t)tf->orig_eax,
                             .arch = SECCOMP_ARCH,
                             .instruction_pointer = tf->eip,
                             .args = {tf->ebx, tf->ecx, tf->edx, tf->esi, tf->edi, tf->ebp}};
    uint32_t verdict = SECCOMP_RET_ALLOW;

    if (t->seccomp == SECCOMP_STRICT)
        return strict_allows(tf->orig_eax) ? verdict : SECCOMP_RET_KILL_THREAD;
    if (t->seccomp == SECCOMP_DEAD)
        return SECCOMP_RET_KILL_PROCESS;
    for (const struct seccomp_filter *f = t->filters; f; f = f->before) {
        uint32_t ret = bpf_run(&f->program, &d);

        if (rank(ret) < rank(verdict))
            verdict = ret;
        sched_point();
    }
    return verdict;
}

uint32_t seccomp_count(const struct thread *t)
{
    uint32_t n = 0;

    for (const struct seccomp_filter *f = t->filters; f; f = f->before)
        n++;
    return n;
}

/* ---- Handing on ---- */

void seccomp_fork(struct thread *child)
{
    const struct thread *creator = thread_current();

    if (creator->seccomp == SECCOMP_NONE)
        return;
    set_mode(child, creator->seccomp);
    child->filters = creator->filters;
    if (child->filters)
        child->filters->refs++;
}

void seccomp_exit(struct thread *t)
{
    struct seccomp_filter *f = t->filters;

    if (t->seccomp == SECCOMP_NONE)
        return;
    spin_lock(&proc_lock);
    t->seccomp = SECCOMP_NONE;
    t->filters = NULL;
    count_moded(-1);
    spin_unlock(&proc_lock);
    put(f);
}

/* ---- Setting ---- */

int seccomp_set_strict(void)
{
    struct thread *t = thread_current();

    if (t->seccomp == SECCOMP_FILTER)
        return -EINVAL;
    spin_lock(&proc_lock);
    set_mode(t, SECCOMP_STRICT);
    spin_unlock(&proc_lock);
    return 0;
}

static uint32_t chain_cost(const struct seccomp_filter *f)
{
    uint32_t cost = 0;

    for (; f; f = f->before)
        cost += f->program.length + FILTER_COST;
    return cost;
}

/* [proc_lock held] Whether f is in the chain that ends with last. */
static bool is_in(const struct seccomp_filter *f, const struct seccomp_filter *last)
{
    if (!f)
        return true;
    while (last && last != f)
        last = last->before;
    return last != NULL;
}

/* [proc_lock held] A thread of the process whose filters are not among those of t, or NULL. */
static const struct thread *odd_thread(const struct thread *t)
{
    const struct thread *other;

    list_for_each_entry (other, &t->proc->threads, proc_link)
        if (other != t && !other->exiting && other->seccomp != SECCOMP_NONE &&
            (other->seccomp != SECCOMP_FILTER || !is_in(other->filters, t->filters)))
            return other;
    return NULL;
}

/* [proc_lock held] Every thread of the process has t's filters. What they had lies in those. */
static void share_with_all(const struct thread *t)
{
    struct thread *other;

    list_for_each_entry (other, &t->proc->threads, proc_link) {
        if (other == t || other->exiting)
            continue;
        t->filters->refs++;
        if (other->filters)
            other->filters->refs--; /* not the last: t's chain holds it */
        other->filters = t->filters;
        set_mode(other, SECCOMP_FILTER);
    }
}

/* The filter f is the newest of the current thread: 0, -ENOMEM, -ESRCH, or whose filters are in the
 * way. */
static long attach(struct seccomp_filter *f, uint32_t flags)
{
    struct thread *t = thread_current();
    const struct thread *odd;
    long ret = 0;

    if (chain_cost(t->filters) + f->program.length > CHAIN_MOST)
        return -ENOMEM;
    spin_lock(&proc_lock);
    odd = flags & FLAG_TSYNC ? odd_thread(t) : NULL;
    if (odd) {
        ret = flags & FLAG_TSYNC_ESRCH ? -ESRCH : odd->tid;
    } else {
        f->refs = 1;
        f->before = t->filters; /* with the thread's reference */
        t->filters = f;
        set_mode(t, SECCOMP_FILTER);
        if (flags & FLAG_TSYNC)
            share_with_all(t);
    }
    spin_unlock(&proc_lock);
    return ret;
}

struct user_program { /* struct sock_fprog */
    uint16_t length, pad;
    uint32_t code;
};

static int filter_from_user(const void __user *uprogram, struct seccomp_filter **out)
{
    struct user_program p;
    struct seccomp_filter *f;
    int err;

    if (copy_from_user(&p, uprogram, sizeof(p)))
        return -EFAULT;
    if (p.length == 0 || p.length > BPF_MOST)
        return -EINVAL;
    if (!proc_current()->no_new_privs && !capable(CAP_SYS_ADMIN))
        return -EACCES;
    f = kzalloc(sizeof(*f));
    if (!f)
        return -ENOMEM;
    err = bpf_load(&f->program, (const void __user *)p.code, p.length);
    if (!err) {
        err = bpf_check(&f->program);
        if (err)
            bpf_free(&f->program);
    }
    if (err)
        kmfree(f);
    else
        *out = f;
    return err;
}

long seccomp_set_filter(uint32_t flags, const void __user *uprogram)
{
    struct seccomp_filter *f;
    long ret;

    if (flags & ~FLAGS_KNOWN)
        return -EINVAL;
    ret = filter_from_user(uprogram, &f);
    if (ret)
        return ret;
    f->logs = flags & FLAG_LOG;
    ret = thread_current()->seccomp == SECCOMP_STRICT ? -EINVAL : attach(f, flags);
    if (ret) {
        bpf_free(&f->program);
        kmfree(f);
    }
    return ret;
}

/* ---- For a tracer ---- */

/* Number nth of t's filters, the oldest of which is 0: a reference. */
static int nth_filter(struct thread *t, uint64_t nth, struct seccomp_filter **out)
{
    uint32_t count;
    int err = 0;

    if (!capable(CAP_SYS_ADMIN) || thread_current()->seccomp != SECCOMP_NONE)
        return -EACCES;
    spin_lock(&proc_lock);
    count = seccomp_count(t);
    if (t->seccomp != SECCOMP_FILTER)
        err = -EINVAL;
    else if (nth >= count)
        err = -ENOENT;
    if (!err) {
        struct seccomp_filter *f = t->filters;

        for (count -= (uint32_t)nth; count > 1; count--)
            f = f->before;
        f->refs++;
        *out = f;
    }
    spin_unlock(&proc_lock);
    return err;
}

long seccomp_get_filter(struct thread *t, uint32_t nth, void __user *ucode)
{
    struct seccomp_filter *f;
    long ret = nth_filter(t, nth, &f);

    if (ret)
        return ret;
    ret = (long)f->program.length;
    if (ucode && bpf_store(&f->program, ucode))
        ret = -EFAULT;
    put(f);
    return ret;
}

long seccomp_get_metadata(struct thread *t, uint32_t size, void __user *umeta)
{
    struct {
        uint64_t nth, flags;
    } meta = {0, 0};
    struct seccomp_filter *f;
    int err;

    if (!capable(CAP_SYS_ADMIN) || thread_current()->seccomp != SECCOMP_NONE)
        return -EACCES;
    if (size < sizeof(meta.nth))
        return -EINVAL;
    if (size > sizeof(meta))
        size = sizeof(meta);
    if (copy_from_user(&meta.nth, umeta, sizeof(meta.nth)))
        return -EFAULT;
    err = nth_filter(t, meta.nth, &f);
    if (err)
        return err;
    meta.flags = f->logs ? FLAG_LOG : 0;
    put(f);
    return copy_to_user(umeta, &meta, size) ? -EFAULT : (long)size;
}
