/*
 * fork, vfork and clone: a new process or a new thread. Everything that can fail is allocated
 * first; the child becomes visible in one step under proc_lock, and only then runs.
 */
#include "arch/processors.h"
#include "arch/thread.h"
#include "arch/uaccess.h"
#include "fs/event/pidfd.h"
#include "fs/vfs/file.h"
#include "kernel/process/set_mm.h"
#include "kernel/thread/proc.h"
#include "kernel/thread/rare.h"
#include "kernel/thread/tls.h"
#include "kernel/ptrace/ptrace.h"
#include "kernel/seccomp/seccomp.h"
#include "libc/errno.h"

#define CSIGNAL              0x000000ffu
#define CLONE_VM             0x00000100u
#define CLONE_FS             0x00000200u
#define CLONE_FILES          0x00000400u
#define CLONE_SIGHAND        0x00000800u
#define CLONE_PIDFD          0x00001000u
#define CLONE_PTRACE         0x00002000u
#define CLONE_VFORK          0x00004000u
#define CLONE_PARENT         0x00008000u
#define CLONE_THREAD         0x00010000u
#define CLONE_NEWNS          0x00020000u
#define CLONE_SYSVSEM        0x00040000u
#define CLONE_SETTLS         0x00080000u
#define CLONE_DETACHED       0x00400000u /* once had a meaning */
#define CLONE_PARENT_SETTID  0x00100000u
#define CLONE_CHILD_CLEARTID 0x00200000u
#define CLONE_UNTRACED       0x00800000u
#define CLONE_CHILD_SETTID   0x01000000u
#define CLONE_NEW_ANY        0x7e020000u /* namespaces: there is one of each */

struct clone_request {
    uint32_t flags, exit_signal;
    uint32_t stack; /* 0: the creator's */
    void __user *parent_tid, *child_tid;
    void __user *tls;    /* user_desc */
    void __user *pidfd;  /* where its descriptor goes */
    int32_t pid;         /* clone3: which id it is to have; 0: any */
    bool clear_handlers; /* clone3: CLONE_CLEAR_SIGHAND */
    /* Under way. */
    struct proc_handle *handle; /* CLONE_PIDFD */
    int fd;
    int event;            /* that its tracer hears of: PTRACE_EVENT_*, or 0 */
    struct tracee *trace; /* for the child, until it has it */
};

/* A vfork parent waits with one of these on its stack. */
struct vfork_wait {
    struct waitq queue;
    bool done; /* [proc_lock] */
};

/* ---- Parts ---- */

static int share_or_copy_space(struct proc *child, struct proc *parent, uint32_t flags)
{
    if (!(flags & CLONE_VM)) {
        int err;

        kernel_let_go(); /* the child is nobody's yet, and the rest is under locks of mm/ */
        err = vm_space_fork(parent->space, &child->space);
        kernel_need();
        return err;
    }
    vm_space_ref(parent->space);
    child->space = parent->space;
    child->shares_space = parent->shares_space = true;
    return 0;
}

static int share_or_copy_files(struct proc *child, struct proc *parent, uint32_t flags)
{
    if (flags & CLONE_FILES) {
        files_join(parent->files);
        child->files = parent->files;
        files_share(parent);
        files_share(child);
    } else {
        child->files = files_copy(parent->files);
        files_use_alone(child);
    }
    if (flags & CLONE_FS) {
        fs_context_ref(parent->fs);
        child->fs = parent->fs;
    } else {
        child->fs = fs_context_copy(parent->fs);
    }
    return child->files && child->fs ? 0 : -ENOMEM;
}

static int copy_parts(struct proc *child, struct proc *parent, const struct clone_request *r)
{
    const uint32_t flags = r->flags;
    int err = signal_fork(parent, child, flags & CLONE_SIGHAND);

    if (!err && r->clear_handlers)
        signal_clear_handlers(child->handlers);
    if (!err)
        err = share_or_copy_files(child, parent, flags);
    if (!err)
        err = share_or_copy_space(child, parent, flags);
    if (err)
        return err;
    if (parent->exe) {
        file_ref(parent->exe);
        child->exe = parent->exe;
    }
    child->arg_start = parent->arg_start;
    child->arg_end = parent->arg_end;
    child->env_start = parent->env_start;
    child->env_end = parent->env_end;
    child->auxv_start = parent->auxv_start;
    child->auxv_end = parent->auxv_end;
    child->marks = parent->marks;
    return parent->auxv ? copy_auxv(child, parent) : 0;
}

static int copy_proc(struct proc *parent, const struct clone_request *r, struct proc **out)
{
    struct proc *p = proc_alloc(parent);
    int err;

    if (!p)
        return -ENOMEM;
    p->exit_signal = (int)r->exit_signal;
    err = copy_parts(p, parent, r);
    if (err) {
        proc_release(p);
        proc_free(p);
        return err;
    }
    *out = p;
    return 0;
}

static int copy_thread(struct proc *p, struct thread *from, const struct clone_request *r,
                       struct thread **out)
{
    struct thread *t = thread_alloc(p, from);
    int err;

    if (!t)
        return -ENOMEM;
    struct trapframe tf = *from->arch.tf;
    tf.eax = 0;
    if (r->stack)
        tf.esp = r->stack;
    for (int i = 0; i < TLS_ENTRIES; i++)
        t->arch.tls[i] = from->arch.tls[i];
    fpu_fork(&from->arch, &t->arch);
    err = rare_fork(from, t);
    if (!err && (r->flags & CLONE_SETTLS))
        err = tls_set(t, r->tls, false);
    if (err) {
        thread_free(t);
        return err;
    }
    if (!(r->flags & CLONE_VM)) {
        t->rseq = from->rseq;
        t->rseq_signature = from->rseq_signature;
    }
    if (r->flags & CLONE_CHILD_SETTID)
        t->set_child_tid = r->child_tid;
    if (r->flags & CLONE_CHILD_CLEARTID)
        t->clear_child_tid = r->child_tid;
    arch_thread_init_user(&t->arch, &tf);
    *out = t;
    return 0;
}

/* [proc_lock held] RLIMIT_NPROC counts what belongs to the real user; root is exempt, as is who
 * has power over resources or the system. */
static bool over_process_limit(const struct proc *p)
{
    uint32_t limit = p->rlimits[RLIMIT_NPROC].cur, count = 0;
    struct proc *q;

    if (p->cred.uid == 0 || limit == UINT32_MAX)
        return false;
    if (cred_capable(&p->cred, CAP_SYS_RESOURCE) || cred_capable(&p->cred, CAP_SYS_ADMIN))
        return false;
    list_for_each_entry (q, &all_procs, all_link) {
        if (q->cred.uid == p->cred.uid)
            count += q->nthreads ? q->nthreads : 1;
    }
    return count >= limit;
}

/* [proc_lock held] */
static void link_proc(struct proc *p, struct proc *creator, uint32_t flags)
{
    struct proc *parent = creator;

    if (flags & CLONE_PARENT) {
        parent = creator->parent;
        p->exit_signal = creator->exit_signal;
    }
    p->pgid = creator->pgid;
    p->sid = creator->sid;
    p->tty = creator->tty;
    p->forked_by = thread_current()->tid;
    proc_link(p, parent);
}

/*
 * Makes the child visible. A signal that waits restarts the call first: one sent to the whole
 * process group must not miss a child that was about to join it.
 */
static int publish(struct thread *t, struct proc *creator, struct clone_request *r)
{
    struct proc *p = t->proc;
    int pid;

    spin_lock(&proc_lock);
    if (signal_pending_current())
        pid = -ERESTARTNOINTR;
    else if (over_process_limit(creator))
        pid = -EAGAIN;
    else
        pid = r->pid ? pid_claim(r->pid) : pid_alloc();
    if (pid > 0) {
        t->tid = pid;
        if (p != creator) {
            p->no_new_privs |= creator->no_new_privs; /* with a filter that came meanwhile */
            p->pid = pid;
            link_proc(p, creator, r->flags);
            if (r->handle)
                proc_handle_attach(r->handle, p);
        } else if (cpus_online > 1) {
            files_share(p);
        }
        thread_link(t);
        ptrace_fork_commit(&r->trace, t);
        seccomp_fork(t);
    }
    spin_unlock(&proc_lock);
    return pid;
}

/* ---- vfork ---- */

void vfork_release(struct thread *t)
{
    struct vfork_wait *v;

    if (!t->vfork)
        return;
    spin_lock(&proc_lock);
    v = t->vfork;
    if (v) {
        t->vfork = NULL;
        v->done = true;
        wake_all(&v->queue);
    }
    spin_unlock(&proc_lock);
}

/* Until the child (by its tid: it may be gone already) has let go. Only a fatal signal ends it
 * before. */
static void vfork_wait(struct vfork_wait *v, int tid)
{
    struct wait_entry e;
    struct thread *child;

    for (;;) {
        waitq_prepare(&v->queue, &e, THREAD_SLEEPING);
        if (v->done || fatal_signal_pending())
            break;
        schedule();
        waitq_finish(&e);
    }
    waitq_finish(&e);
    spin_lock(&proc_lock);
    child = v->done ? NULL : thread_find(tid);
    if (child && child->vfork == v)
        child->vfork = NULL;
    spin_unlock(&proc_lock);
}

/* ---- The calls ---- */

static int check_flags(const struct clone_request *r)
{
    uint32_t f = r->flags;

    if (f & CLONE_NEW_ANY)
        return -EINVAL;
    if ((f & CLONE_PIDFD) && (f & (CLONE_THREAD | CLONE_DETACHED)))
        return -EINVAL;
    if ((f & CLONE_THREAD) && !(f & CLONE_SIGHAND))
        return -EINVAL;
    if ((f & CLONE_SIGHAND) && !(f & CLONE_VM))
        return -EINVAL;
    if ((f & CLONE_PARENT) && proc_current() == init_proc)
        return -EINVAL;
    return 0;
}

/* The descriptor of a child that is not there yet: its handle is attached when that is. */
static int make_pidfd(struct clone_request *r)
{
    int err = 0;

    if (!(r->flags & CLONE_PIDFD))
        return 0;
    r->handle = proc_handle_new();
    if (!r->handle)
        return -ENOMEM;
    r->handle->refs++; /* the descriptor's */
    r->fd = pidfd_make(r->handle, 0);
    if (r->fd < 0)
        err = r->fd;
    else if (put_user_u32(r->pidfd, (uint32_t)r->fd))
        err = -EFAULT;
    if (err && r->fd >= 0)
        fd_close(r->fd);
    if (err)
        proc_handle_put(r->handle);
    return err;
}

/* Everything but the child's being there. */
static int prepare(struct clone_request *r, struct proc **p, struct thread **t)
{
    struct thread *self = thread_current();
    int err = copy_thread(*p, self, r, t);

    if (err)
        return err;
    err = make_pidfd(r);
    if (err)
        thread_free(*t);
    return err;
}

/* Which event this is for who traces the creator, if he has asked for it. */
static int event_of(const struct clone_request *r)
{
    int event = r->flags & CLONE_VFORK      ? PTRACE_EVENT_VFORK
                : r->exit_signal != SIGCHLD ? PTRACE_EVENT_CLONE
                                            : PTRACE_EVENT_FORK;

    return !(r->flags & CLONE_UNTRACED) && ptrace_wants_event(event) ? event : 0;
}

static long clone_untied(struct clone_request *r)
{
    struct proc *creator = proc_current(), *p = creator;
    struct thread *t;
    struct vfork_wait v;
    int err = check_flags(r);

    timers_expect(proc_count_threads());
    if (!err)
        err = proc_may_fork(creator);
    if (!err && !(r->flags & CLONE_THREAD))
        err = copy_proc(creator, r, &p);
    if (err)
        return err;
    err = prepare(r, &p, &t);
    if (err)
        goto drop_proc;
    if (r->flags & CLONE_VFORK) {
        waitq_init(&v.queue);
        v.done = false;
        t->vfork = &v;
    }
    int pid = publish(t, creator, r);
    if (pid < 0) {
        err = pid;
        goto drop_thread;
    }
    if (r->flags & CLONE_PARENT_SETTID)
        put_user_u32(r->parent_tid, (uint32_t)pid);
    sched_start(t);
    if (r->handle)
        proc_handle_put(r->handle);
    if (r->event)
        ptrace_event(r->event, (uint32_t)pid);
    if (r->flags & CLONE_VFORK) {
        vfork_wait(&v, pid);
        ptrace_event(PTRACE_EVENT_VFORK_DONE, (uint32_t)pid);
    }
    return pid;

drop_thread:
    if (r->handle) {
        fd_close(r->fd);
        proc_handle_put(r->handle);
    }
    thread_free(t);
drop_proc:
    if (p != creator) {
        proc_release(p);
        proc_free(p);
    }
    return err;
}

/* The child of one that is traced may be traced from its first instruction on. */
static long do_clone(struct clone_request *r)
{
    bool follow;
    int err;
    long ret;

    r->event = event_of(r);
    follow = thread_current()->trace && (r->event || (r->flags & CLONE_PTRACE));
    r->trace = ptrace_fork_prepare(follow, &err);
    ret = err ? err : clone_untied(r);
    kmfree(r->trace);
    return ret;
}

long sys_fork(void)
{
    struct clone_request r = {.exit_signal = SIGCHLD};

    return do_clone(&r);
}

long sys_vfork(void)
{
    struct clone_request r = {.flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD};

    return do_clone(&r);
}

long sys_clone(uint32_t flags, uint32_t stack, void __user *parent_tid, void __user *tls,
               void __user *child_tid)
{
    struct clone_request r = {
        .flags = flags & ~CSIGNAL,
        .exit_signal = flags & CSIGNAL,
        .stack = stack,
        .parent_tid = parent_tid,
        .child_tid = child_tid,
        .tls = tls,
        .pidfd = parent_tid,
    };

    if ((flags & CLONE_PIDFD) && (flags & CLONE_PARENT_SETTID))
        return -EINVAL;
    return do_clone(&r);
}

/* ---- clone3 ---- */

#define CLONE_CLEAR_SIGHAND 0x100000000ull
#define CLONE_INTO_CGROUP   0x200000000ull
#define CLONE_NEWTIME       0x00000080u
#define ARGS_SIZE_FIRST     64 /* of the call's first version */
#define MAX_PID_LEVELS      32

struct clone_args { /* Linux's */
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    uint64_t set_tid, set_tid_size, cgroup;
};

static int clone_args_from_user(struct clone_args *a, const void __user *uargs, uint32_t size)
{
    if (size > PAGE_SIZE)
        return -E2BIG;
    if (size < ARGS_SIZE_FIRST)
        return -EINVAL;
    return copy_struct_from_user(a, sizeof(*a), uargs, size);
}

static bool stack_is_right(const struct clone_args *a)
{
    if (!a->stack || !a->stack_size)
        return !a->stack && !a->stack_size;
    return a->stack <= UINT32_MAX && a->stack_size <= UINT32_MAX &&
           user_range_ok((void __user *)(uint32_t)a->stack, (uint32_t)a->stack_size);
}

static int check_clone_args(const struct clone_args *a)
{
    uint32_t f = (uint32_t)a->flags;

    if (a->set_tid_size > MAX_PID_LEVELS || !a->set_tid != !a->set_tid_size)
        return -EINVAL;
    if ((a->exit_signal & ~(uint64_t)CSIGNAL) || a->exit_signal > NSIG)
        return -EINVAL;
    if (a->flags & ~(CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP | UINT32_MAX))
        return -EINVAL;
    if (f & (CLONE_DETACHED | (CSIGNAL & ~CLONE_NEWTIME)))
        return -EINVAL;
    if ((f & CLONE_SIGHAND) && (a->flags & CLONE_CLEAR_SIGHAND))
        return -EINVAL;
    if ((f & (CLONE_THREAD | CLONE_PARENT)) && a->exit_signal)
        return -EINVAL;
    if ((f & CLONE_PIDFD) && (f & CLONE_PARENT_SETTID) && a->pidfd == a->parent_tid)
        return -EINVAL;
    return stack_is_right(a) ? 0 : -EINVAL;
}

/* The id that the child is to have: there is one level of them, which is root's to choose from. */
static int chosen_pid(const struct clone_args *a, int32_t *pid)
{
    uint32_t wanted;

    *pid = 0;
    if (!a->set_tid_size)
        return 0;
    if (get_user_u32(&wanted, (void __user *)(uint32_t)a->set_tid))
        return -EFAULT;
    if (a->set_tid_size > 1 || (int32_t)wanted < 1)
        return -EINVAL;
    *pid = (int32_t)wanted;
    return capable(CAP_CHECKPOINT_RESTORE) || capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
}

long sys_clone3(const void __user *uargs, uint32_t size)
{
    struct clone_args a;
    struct clone_request r = {0};
    int err = clone_args_from_user(&a, uargs, size);

    if (!err)
        err = check_clone_args(&a);
    if (!err)
        err = chosen_pid(&a, &r.pid);
    if (!err && (a.flags & CLONE_INTO_CGROUP))
        err = -EBADF; /* no descriptor is of a control group */
    if (err)
        return err;
    r.flags = (uint32_t)a.flags;
    r.exit_signal = (uint32_t)a.exit_signal;
    r.stack = (uint32_t)(a.stack + a.stack_size);
    r.parent_tid = (void __user *)(uint32_t)a.parent_tid;
    r.child_tid = (void __user *)(uint32_t)a.child_tid;
    r.tls = (void __user *)(uint32_t)a.tls;
    r.pidfd = (void __user *)(uint32_t)a.pidfd;
    r.clear_handlers = a.flags & CLONE_CLEAR_SIGHAND;
    return do_clone(&r);
}

/* ---- unshare ---- */

#define UNSHARE_GROUP (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)
#define UNSHARE_KNOWN (UNSHARE_GROUP | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM)

static int unshare_context(struct proc *p)
{
    struct fs_context *old = p->fs, *own;

    if (old->refs == 1)
        return 0;
    own = fs_context_copy(old);
    if (!own)
        return -ENOMEM;
    spin_lock(&proc_lock);
    p->fs = own;
    spin_unlock(&proc_lock);
    fs_context_put(old);
    return 0;
}

/* Descriptors and directories are a process's here, so its threads cannot part; namespaces there
 * are none. A space that was shared once counts as shared. man 2 unshare */
long sys_unshare(uint32_t flags)
{
    struct proc *p = proc_current();
    bool shares = p->nthreads > 1 ||
                  ((flags & (CLONE_SIGHAND | CLONE_VM)) && p->handlers->refs > 1) ||
                  ((flags & CLONE_VM) && p->shares_space);
    int err = 0;

    if (flags & ~UNSHARE_KNOWN)
        return -EINVAL;
    if ((flags & UNSHARE_GROUP) && shares)
        return -EINVAL;
    if ((flags & (CLONE_FS | CLONE_FILES)) && p->nthreads > 1)
        return -EINVAL;
    if (flags & CLONE_FS)
        err = unshare_context(p);
    if (!err && (flags & CLONE_FILES))
        err = files_unshare(p);
    return err;
}

/* There is no other namespace to enter, so no descriptor is of one. man 2 setns */
long sys_setns(uint32_t fd, uint32_t type)
{
    struct file *f = fd_get((int)fd);

    (void)type;
    if (!f)
        return -EBADF;
    file_put(f);
    return -EINVAL;
}

long sys_set_tid_address(void __user *addr)
{
    struct thread *t = thread_current();

    t->clear_child_tid = addr;
    return t->tid;
}
