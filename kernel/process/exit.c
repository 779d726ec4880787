/*
 * The end of threads and processes. A thread that exits leaves the table and hands itself to the
 * scheduler, which frees its stack from the next thread. The last one ends the process: resources
 * go, children find a new parent, and what stays is a zombie until the parent has asked.
 */
#include "arch/cpu.h"
#include "arch/processors.h"
#include "arch/thread.h"
#include "arch/uaccess.h"
#include "fs/vfs/file.h"
#include "fs/vfs/vfs.h"
#include "kernel/ipc/shm.h"
#include "kernel/ptrace/ptrace.h"
#include "kernel/seccomp/seccomp.h"
#include "kernel/syscall/user_dispatch.h"
#include "kernel/base/log.h"
#include "kernel/futex/futex.h"
#include "kernel/ipc/ipc.h"
#include "kernel/process/acct.h"
#include "kernel/process/set_mm.h"
#include "kernel/thread/proc.h"
#include "kernel/thread/rare.h"
#include "kernel/machine/power.h"
#include "drivers/tty/tty.h"

#define REPARENT_STEP 200 /* children that get another parent in one go */

/* ---- A process ---- */

void proc_note_peak(struct proc *p)
{
    struct vm_space_stats stats;

    if (!p->space)
        return;
    vm_space_stats(p->space, &stats);
    if (stats.peak_resident > p->usage.max_resident)
        p->usage.max_resident = stats.peak_resident;
}

/* The longest part of an end, and all under locks of mm/: others may be in the kernel meanwhile.
 * Nobody runs in s, or has its tables loaded, if this was its last process. */
void proc_unref_space(struct vm_space *s)
{
    kernel_let_go();
    vm_space_unref(s);
    kernel_need();
}

static void release_space(struct proc *p)
{
    struct vm_space *s = p->space;

    if (!s)
        return;
    proc_note_peak(p);
    spin_lock(&proc_lock);
    p->space = NULL;
    spin_unlock(&proc_lock);
    /* A child that never ran may share the space of whoever is running now. */
    if (p == proc_current() && cpu_self()->space == s)
        sched_use_space(NULL);
    proc_unref_space(s);
}

/* /proc looks at these from outside: out of sight first, then given back. */
void proc_release(struct proc *p)
{
    struct files *files;
    struct fs_context *fs;
    struct file *exe;

    release_space(p);
    if (shm_limits.forced)
        shm_forget(p->pid);
    spin_lock(&proc_lock);
    files = p->files;
    exe = p->exe;
    p->files = NULL;
    p->exe = NULL;
    spin_unlock(&proc_lock);
    if (p->auxv)
        give_auxv(p, NULL);
    if (files)
        files_leave(files);
    if (exe)
        file_put(exe);
    spin_lock(&proc_lock);
    fs = p->fs;
    p->fs = NULL;
    spin_unlock(&proc_lock);
    if (fs)
        fs_context_put(fs);
}

/* [proc_lock held] Whether somebody of the group is stopped. */
static bool group_has_stopped(int32_t pgid)
{
    struct proc *p;

    for_each_of_group(p, pgid) if (p->sig.stopped && p->state == PROC_ALIVE) return true;
    return false;
}

/* [proc_lock held] */
static void send_group_locked(int32_t pgid, int signo)
{
    struct proc *p;

    for_each_of_group(p, pgid) signal_send_proc(p, signo, NULL);
}

/*
 * [proc_lock held] child's tie to parent goes. When it was the last one between its group and the
 * rest of the session, nobody can continue the group any more: if it is stopped, tell it. [POSIX
 * exit]
 */
static void check_orphaned_group(struct proc *child, struct proc *parent, struct proc *exiting)
{
    int32_t pgid = child->pgid;

    if (parent->pgid == pgid || parent->sid != child->sid)
        return;
    if (!group_has_stopped(pgid) || !pgrp_is_orphaned(pgid, exiting))
        return;
    send_group_locked(pgid, SIGHUP);
    send_group_locked(pgid, SIGCONT);
}

/* [proc_lock held] Whose children those of p become: the nearest ancestor's that asked for them. */
static struct proc *reaper_of(const struct proc *p)
{
    struct proc *a;

    for (a = p->parent; a && a != init_proc && a != &kernel_proc; a = a->parent)
        if (a->subreaper && a->nthreads)
            return a;
    return init_proc;
}

/* [proc_lock held] Some of the children of p; those that nobody waits for go to the list dead. */
static void reparent_children(struct proc *p, struct list *dead, unsigned most)
{
    struct proc *c, *next, *reaper = reaper_of(p);

    list_for_each_entry_safe (c, next, &p->children, sibling) {
        if (most-- == 0)
            return;
        list_remove(&c->sibling);
        c->parent = reaper;
        list_add_tail(&reaper->children, &c->sibling);
        c->exit_signal = SIGCHLD;
        if (c->parent_death_signal)
            signal_send_proc(c, c->parent_death_signal, NULL);
        if (c->state == PROC_ZOMBIE && proc_report_end(c)) {
            proc_unlink(c);
            list_add_tail(dead, &c->sibling);
        }
        check_orphaned_group(c, p, NULL);
    }
}

static void free_list(struct list *dead)
{
    struct proc *c, *next;

    list_for_each_entry_safe (c, next, dead, sibling) {
        list_remove(&c->sibling);
        proc_free(c);
    }
}

/* As long as there are many. The last thread of p is here: only what others leave to it comes. */
static void reparent_in_steps(struct proc *p)
{
    struct list dead;
    bool more = true;

    while (more) {
        list_init(&dead);
        spin_lock(&proc_lock);
        reparent_children(p, &dead, REPARENT_STEP);
        more = !list_empty(&p->children);
        spin_unlock(&proc_lock);
        free_list(&dead);
        sched_point();
    }
}

/* [proc_lock held] t leaves its process; from here on it belongs to nobody. */
static void leave(struct thread *t)
{
    struct proc *p = t->proc;

    thread_add_usage(&p->usage, t);
    if (t->tid == p->pid)
        p->first_sched = t->sched;
    ptrace_thread_gone(t);
    thread_unlink(t);
    signal_free_thread(t);
    timers_drop(&t->cpu_timers);
    t->proc = &kernel_proc;
}

static _Noreturn void init_exited(int status)
{
    bool ok = (status & 0xff7f) == 0;

    if (status & 0x7f)
        klog(LOG_WARN, "init was killed by signal %d: powering off\n", status & 0x7f);
    else
        klog(ok ? LOG_NOTICE : LOG_WARN, "init exited with status %d: powering off\n",
             status >> 8 & 0xff);
    vfs_shutdown();
    machine_power_off(ok);
}

/* The last thread of p takes it down. */
static void end_process(struct proc *p, struct thread *t)
{
    struct list dead = LIST_INIT(dead);

    if (p->sig.group_exit)
        p->exit_status = p->sig.group_exit_status;
    if (p == init_proc)
        init_exited(p->exit_status);
    if (p->sid == p->pid)
        tty_session_ended(p);
    sem_exit(p);
    acct_process(p);
    proc_release(p);

    if (!list_empty(&p->children))
        reparent_in_steps(p);
    spin_lock(&proc_lock);
    check_orphaned_group(p, p->parent, p);
    reparent_children(p, &dead, UINT32_MAX);
    leave(t);
    p->state = PROC_ZOMBIE;
    timers_drop(&p->cpu_timers);
    if (p->handle)
        wake_all(&p->handle->queue);
    if (proc_report_end(p)) {
        proc_unlink(p);
        list_add_tail(&dead, &p->sibling);
    }
    spin_unlock(&proc_lock);
    free_list(&dead);
}

/* ---- A thread ---- */

/* Tells those who wait for the thread by way of memory. Its id is watched by threads of the same
 * space only: nobody looks at it in one that goes with it. */
void thread_release_tid(struct thread *t)
{
    struct proc *p = t->proc;
    bool alone = !p->space || (p->nthreads == 1 && !p->shares_space);

    if (p->space && t->robust_list)
        futex_release_robust_list(t);
    futex_release_inheritance(t);
    if (!alone && t->clear_child_tid && put_user_u32(t->clear_child_tid, 0) == 0)
        futex_wake((vaddr_t)t->clear_child_tid, 1);
    t->clear_child_tid = NULL;
    t->robust_list = 0;
}

void thread_exit(void)
{
    struct thread *t = thread_current();
    struct proc *p = t->proc;
    bool last;

    if (p->sig.dumper)
        signal_wait_for_dump(p);
    ptrace_exit_stop(p->sig.group_exit ? p->sig.group_exit_status : t->exit_status);
    ptrace_exit_tracer(t);
    seccomp_exit(t);
    user_dispatch_clear(t);
    thread_release_tid(t);
    vfork_release(t);
    fpu_drop(&t->arch);
    rare_drop(t);
    sched_charge_current();
    spin_lock(&proc_lock);
    last = p->nthreads == 1;
    if (!last) {
        leave(t);
        wake_all(&p->child_exit); /* exec may wait for it to be gone */
    }
    spin_unlock(&proc_lock);
    if (last)
        end_process(p, t);
    t->state = THREAD_DEAD;
    schedule();
    __builtin_unreachable();
}

void proc_exit(int status)
{
    struct proc *p = proc_current();

    thread_current()->exit_status = status;
    if (p->nthreads == 1)
        p->exit_status = status;
    else
        signal_begin_group_exit(p, status);
    thread_exit();
}

_Noreturn void thread_end(int status)
{
    struct thread *t = thread_current();

    t->exit_status = status;
    if (t->tid == t->proc->pid)
        t->proc->exit_status = status;
    thread_exit();
}

/* ---- The calls ---- */

long sys_exit(uint32_t code)
{
    thread_end((int)(code & 0xff) << 8);
}

long sys_exit_group(uint32_t code)
{
    proc_exit((int)(code & 0xff) << 8);
}
