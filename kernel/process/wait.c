/*
 * wait4, waitpid, waitid: what a parent learns of its children, and a tracer of its tracees. Every
 * one is looked at under proc_lock; what is found is noted there, and told to the program after the
 * lock is gone.
 */
#include "arch/uaccess.h"
#include "fs/event/pidfd.h"
#include "kernel/ptrace/ptrace.h"
#include "kernel/thread/proc.h"
#include "kernel/process/rusage.h"
#include "libc/errno.h"

#define WNOHANG    0x00000001u
#define WSTOPPED   0x00000002u /* WUNTRACED */
#define WEXITED    0x00000004u
#define WCONTINUED 0x00000008u
#define WNOWAIT    0x01000000u
#define WNOTHREAD  0x20000000u
#define WALL       0x40000000u
#define WCLONE     0x80000000u

enum { P_ALL, P_PID, P_PGID, P_PIDFD };

struct wait_request {
    int which; /* P_* */
    int32_t id;
    uint32_t options;
    struct proc_handle *handle; /* P_PIDFD, which then is P_PID with this besides; or NULL */
    /* What was found. */
    int32_t pid;
    uint32_t uid;
    int status; /* as wait4 gives it */
    int code;   /* CLD_* */
    struct rusage_counts usage;
    struct proc *dead; /* waited for: to be freed once nobody is about to sleep */
};

static bool matches(const struct proc *c, const struct wait_request *r)
{
    if (r->which == P_PID && c->pid != r->id)
        return false;
    if (r->which == P_PGID && c->pgid != r->id)
        return false;
    /* "Clone" children, which tell their end by another signal, are waited for apart. */
    return (r->options & WALL) || (c->exit_signal != SIGCHLD) == !!(r->options & WCLONE);
}

/* [proc_lock held] */
static void note(struct proc *c, struct wait_request *r, int status, int code)
{
    r->pid = c->pid;
    r->uid = c->cred.uid;
    r->status = status;
    r->code = code;
    proc_usage(c, &r->usage);
    usage_add(&r->usage, &c->child_usage);
}

/* What a look at a child or tracee says: it tells something, may yet do so, or cannot any more. */
enum { TELLS_NOTHING = -ECHILD, MAY_TELL = 0, TELLS = 1 };

/* ---- Tracees ---- */

/* [proc_lock held] A thread that ended, or a process if it is its first one that was traced: when
 * that is to be told, and *reap that the tie is to go. */
static int tracee_end(struct tracee *x, struct wait_request *r, bool *reap)
{
    struct proc *c = x->proc;

    if (tracee_is_first(x) && (c->state != PROC_ZOMBIE || c->dead_tracees))
        return MAY_TELL;
    if (!(r->options & WEXITED))
        return TELLS_NOTHING;
    if (tracee_is_first(x)) {
        note(c, r, c->exit_status, child_code(c->exit_status));
    } else {
        r->uid = c->cred.uid;
        r->status = x->status;
        r->code = child_code(x->status);
        r->usage = x->usage;
    }
    r->pid = x->tid;
    *reap = !(r->options & WNOWAIT);
    return TELLS;
}

/* [proc_lock held] Whether x has something to tell its tracer. */
static int look_at_tracee(struct tracee *x, struct wait_request *r, bool *reap)
{
    if (!x->thread)
        return tracee_end(x, r, reap);
    if (x->stopped && !x->listening && !x->told) {
        note(x->proc, r, x->code << 8 | 0x7f, CLD_TRAPPED);
        r->pid = x->tid;
        x->told = !(r->options & WNOWAIT);
        return TELLS;
    }
    return MAY_TELL;
}

static bool tracee_matches(const struct tracee *x, const struct wait_request *r)
{
    if (r->which == P_PID && x->tid != r->id)
        return false;
    if (r->which == P_PGID && x->proc->pgid != r->id)
        return false;
    return !(r->options & WNOTHREAD) || x->tracer == thread_current();
}

/* [proc_lock held] Of those whom p traces, as find_child(). */
static int find_tracee(struct proc *p, struct wait_request *r, struct tracee **out, bool *reap)
{
    struct tracee *x;
    int ret = TELLS_NOTHING, says;

    list_for_each_entry (x, &p->tracees, link) {
        if (!tracee_matches(x, r))
            continue;
        *out = x;
        says = look_at_tracee(x, r, reap);
        if (says == TELLS)
            return TELLS;
        ret = says == MAY_TELL ? MAY_TELL : ret;
    }
    return ret;
}

/* ---- Children ---- */

/* [proc_lock held] Whether c, a zombie, has told everybody who has to hear of it before. */
static bool may_report_end(const struct proc *c)
{
    return !c->dead_tracees && !ptrace_foreign_tracer(c);
}

/* [proc_lock held] Whether c has something to tell; *reap when it is to be freed for it. */
static int look_at(struct proc *c, struct wait_request *r, bool *reap)
{
    bool keep = r->options & WNOWAIT;
    bool own_tracee = c->trace && !ptrace_foreign_tracer(c);

    if (c->state == PROC_ZOMBIE) {
        if (!may_report_end(c))
            return MAY_TELL;
        if (!(r->options & WEXITED))
            return TELLS_NOTHING;
        note(c, r, c->exit_status, child_code(c->exit_status));
        *reap = !keep;
        return TELLS;
    }
    if ((r->options & WSTOPPED) && c->sig.stop_report && !own_tracee) {
        note(c, r, c->sig.stop_report << 8 | 0x7f, CLD_STOPPED);
        if (!keep)
            c->sig.stop_report = 0;
        return TELLS;
    }
    if ((r->options & WCONTINUED) && c->sig.cont_report) {
        note(c, r, 0xffff, CLD_CONTINUED);
        if (!keep)
            c->sig.cont_report = false;
        return TELLS;
    }
    return MAY_TELL;
}

/* [proc_lock held] The first child of those asked for that tells something, in *out. 1, 0 when one
 * may yet, -ECHILD. */
static int find_child(struct proc *p, struct wait_request *r, struct proc **out, bool *reap)
{
    struct proc *c;
    int ret = TELLS_NOTHING, says;

    if (r->which == P_PID) { /* found without a look at its siblings */
        c = *out = proc_find(r->id);
        if (!c || c->parent != p || !matches(c, r) || (r->handle && r->handle != c->handle))
            return -ECHILD;
        return look_at(c, r, reap);
    }
    list_for_each_entry (c, &p->children, sibling) {
        if (!matches(c, r))
            continue;
        *out = c;
        says = look_at(c, r, reap);
        if (says == TELLS)
            return TELLS;
        ret = says == MAY_TELL ? MAY_TELL : ret;
    }
    return ret;
}

/* [proc_lock held] c is waited for and goes. */
static void take(struct proc *c, struct wait_request *r)
{
    if (c->parent == proc_current())
        usage_add(&c->parent->child_usage, &r->usage);
    r->dead = c;
    proc_unlink(c);
}

/* One look at all children and tracees: 1 when one has told something, 0 when one may yet,
 * -ECHILD. */
static int scan(struct proc *p, struct wait_request *r)
{
    struct tracee *x;
    struct proc *c;
    bool reap = false;
    int ret, traced;

    spin_lock(&proc_lock);
    ret = find_child(p, r, &c, &reap);
    if (ret == 1 && reap)
        take(c, r);
    if (ret != 1 && !list_empty(&p->tracees)) {
        traced = find_tracee(p, r, &x, &reap);
        ret = traced == -ECHILD ? ret : traced;
        if (traced == 1 && reap) {
            c = x->proc;
            if ((tracee_is_first(x) && !ptrace_foreign_tracer(c)) || ptrace_end_told(x))
                take(c, r);
        }
    }
    spin_unlock(&proc_lock);
    return ret;
}

/* The pid of the child that told something, 0 with WNOHANG when none did, or -errno. */
static long do_wait(struct wait_request *r)
{
    struct proc *p = proc_current();
    struct wait_entry e;
    int found;

    found = scan(p, r);
    while (found == 0 && !(r->options & WNOHANG)) {
        waitq_prepare(&p->child_exit, &e, THREAD_SLEEPING);
        found = scan(p, r);
        if (found == 0 && signal_pending_current())
            found = -ERESTARTSYS;
        if (found == 0)
            schedule();
        waitq_finish(&e);
    }
    if (r->dead)
        proc_free(r->dead);
    return found == 1 ? r->pid : found;
}

static int put_usage(void __user *urusage, const struct wait_request *r)
{
    struct user_rusage u;

    if (!urusage)
        return 0;
    rusage_pack(&u, &r->usage);
    return copy_to_user(urusage, &u, sizeof(u));
}

long sys_wait4(uint32_t upid, void __user *ustatus, uint32_t options, void __user *urusage)
{
    struct wait_request r = {.options = options | WEXITED};
    int32_t pid = (int32_t)upid;

    if (options & ~(WNOHANG | WSTOPPED | WCONTINUED | WNOTHREAD | WCLONE | WALL))
        return -EINVAL;
    if (pid == INT32_MIN)
        return -ESRCH;
    r.which = pid == -1 ? P_ALL : pid > 0 ? P_PID : P_PGID;
    r.id = pid > 0 ? pid : pid == 0 ? proc_current()->pgid : -pid;
    long ret = do_wait(&r);
    if (ret <= 0)
        return ret;
    if (put_usage(urusage, &r) || (ustatus && put_user_u32(ustatus, (uint32_t)r.status)))
        return -EFAULT;
    return ret;
}

long sys_waitpid(uint32_t pid, void __user *ustatus, uint32_t options)
{
    return sys_wait4(pid, ustatus, options, NULL);
}

/* The start of a siginfo_t. */
struct wait_info {
    int32_t signo, err, code, pid, uid, status;
};

static int put_info(void __user *uinfo, const struct wait_request *r, bool found)
{
    struct wait_info info = {0};

    if (!uinfo)
        return 0;
    if (found) {
        info.signo = SIGCHLD;
        info.code = r->code;
        info.pid = r->pid;
        info.uid = (int32_t)r->uid;
        if (r->code == CLD_EXITED || r->code == CLD_STOPPED)
            info.status = r->status >> 8 & 0xff;
        else if (r->code == CLD_TRAPPED)
            info.status = r->status >> 8;
        else
            info.status = r->code == CLD_CONTINUED ? SIGCONT : r->status & 0x7f;
    }
    return copy_to_user(uinfo, &info, sizeof(info));
}

static int check_waitid(int which, int32_t id, uint32_t options)
{
    if (options &
        ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | WNOTHREAD | WCLONE | WALL))
        return -EINVAL;
    if (!(options & (WEXITED | WSTOPPED | WCONTINUED)))
        return -EINVAL;
    if (which < P_ALL || which > P_PIDFD)
        return -EINVAL;
    if ((which == P_PID && id <= 0) || (which >= P_PGID && id < 0))
        return -EINVAL;
    return 0;
}

/* What a pidfd stands for; one that never waits makes the call the same, but for -EAGAIN. */
static int resolve_pidfd(struct wait_request *r, bool *nonblock)
{
    *nonblock = false;
    if (r->which != P_PIDFD)
        return 0;
    r->handle = pidfd_get(r->id, nonblock);
    if (!r->handle)
        return -EBADF;
    r->which = P_PID;
    r->id = r->handle->pid;
    *nonblock = *nonblock && !(r->options & WNOHANG);
    if (*nonblock)
        r->options |= WNOHANG;
    return 0;
}

long sys_waitid(uint32_t which, uint32_t id, void __user *uinfo, uint32_t options,
                void __user *urusage)
{
    struct wait_request r = {.which = (int)which, .id = (int32_t)id, .options = options};
    long ret = check_waitid(r.which, r.id, options);
    bool nonblock;

    if (!ret)
        ret = resolve_pidfd(&r, &nonblock);
    if (ret)
        return ret;
    if (r.which == P_PGID && r.id == 0)
        r.id = proc_current()->pgid;
    ret = do_wait(&r);
    if (r.handle)
        proc_handle_put(r.handle);
    if (ret == 0 && nonblock)
        ret = -EAGAIN;
    if (ret < 0)
        return ret;
    if ((ret > 0 && put_usage(urusage, &r)) || put_info(uinfo, &r, ret > 0))
        return -EFAULT;
    return 0;
}
