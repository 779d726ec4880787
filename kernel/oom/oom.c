/*
 * When memory runs out: one process is killed (oom_choose.c: which), and the log says so
 * (oom_report.c). Whoever could not get memory waits for it to be gone and tries again.
 */
#include "kernel/base/log.h"
#include "kernel/oom/oom.h"
#include "kernel/thread/inject.h"

#define PATIENCE_TICKS 200 /* for one victim, before the next is chosen */

uint32_t oom_kills;

static int32_t victim_pid;       /* [proc_lock] still dying; 0: nobody */
static uint64_t victim_deadline; /* [proc_lock] */

/* [proc_lock held] Whether the victim is still on its way out and may have more time. */
static bool victim_is_dying(void)
{
    struct proc *p = victim_pid ? proc_find(victim_pid) : NULL;

    return p && p->state == PROC_ALIVE && (p->space || p->files) &&
           time_mono_ns() < victim_deadline;
}

static bool has_victim(void)
{
    bool dying;

    spin_lock(&proc_lock);
    dying = victim_is_dying();
    spin_unlock(&proc_lock);
    return dying;
}

/* Many may wait, and none is to take the CPU from the victim: they ask for no memory meanwhile, and
 * go behind it on the run queue. */
static void await_victim(void)
{
    do {
        thread_current()->slice = 0;
        thread_current()->state = THREAD_BLOCKED;
        schedule_until(time_mono_ns() + NSEC_PER_TICK);
    } while (has_victim() && !fatal_signal_pending());
}

/* Kills the process, unless it or the need is gone meanwhile. */
static void kill_victim(int32_t pid)
{
    struct proc *p;

    spin_lock(&proc_lock);
    p = proc_find(pid);
    if (p && p->space && !victim_is_dying()) {
        victim_pid = pid;
        victim_deadline = time_mono_ns() + PATIENCE_TICKS * NSEC_PER_TICK;
        oom_kills++;
        oom_report_kill(p);
        signal_send_proc(p, SIGKILL, NULL);
    }
    spin_unlock(&proc_lock);
}

bool oom_kill(void)
{
    struct proc *self = proc_current();
    bool dying = has_victim();
    int32_t pid = 0;

    if (fatal_signal_pending())
        return false;
    if (inject_is_to_blame())
        return true;
    if (!dying)
        pid = oom_choose(&dying);
    if (pid) {
        oom_report_state();
        kill_victim(pid);
    }
    if (!dying && !pid && self == init_proc) {
        klog(LOG_ERR, "Out of memory: init is the only process left\n");
        signal_begin_group_exit(self, SIGKILL);
    }
    if (pid == self->pid || (!pid && !dying))
        return false;
    await_victim();
    return true;
}
