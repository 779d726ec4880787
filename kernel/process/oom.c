/*
 * When memory runs out: one process is killed, the one that gives back most, and the log says so.
 * Whoever could not get memory waits for it to be gone and tries again.
 */
#include "kernel/base/log.h"
#include "kernel/thread/proc.h"

#define PATIENCE_TICKS 200 /* for one victim, before the next is chosen */

static int32_t victim_pid;       /* [proc_lock] still dying; 0: nobody */
static uint64_t victim_deadline; /* [proc_lock] */

static bool is_dying(const struct proc *p)
{
    return p->sig.group_exit || (p->sig.queue.pending & SIGMASK(SIGKILL));
}

/* [proc_lock held] What killing p would give back in pages, moved by its oom_score_adj, which is in
 * thousandths of all memory. */
static int32_t badness(const struct proc *p, uint32_t *resident)
{
    struct vm_space_stats stats;
    struct mem_stats memory;

    *resident = 0;
    if (!p->space)
        return 0;
    vm_space_stats(p->space, &stats);
    mm_stats(&memory);
    *resident = stats.resident;
    return (int32_t)stats.resident + p->oom_score_adj * (int32_t)(memory.total / 1000);
}

/* The scale of Linux: memory counts 1000 thousandths, and 1000 is added before 2/3 of it. */
uint32_t oom_score(const struct proc *p)
{
    uint32_t resident;
    struct mem_stats memory;
    int32_t points;

    if (!p->space || p->oom_score_adj == OOM_SCORE_ADJ_MIN)
        return 0;
    mm_stats(&memory);
    points = 1000 + badness(p, &resident) * 1000 / (int32_t)memory.total;
    return points > 0 ? (uint32_t)points * 2 / 3 : 0;
}

/* [proc_lock held] init is spared: without it there is no machine to save. Nor is one chosen
 * that dies already; *dying tells that there is such a one, which is worth waiting for. */
static struct proc *choose(uint32_t *pages, bool *dying)
{
    struct proc *p, *worst = NULL;
    int32_t most = 0;

    *pages = 0;
    *dying = false;
    list_for_each_entry (p, &all_procs, all_link) {
        uint32_t resident;
        int32_t bad;

        if (p == init_proc || p->state != PROC_ALIVE || !p->space)
            continue;
        if (is_dying(p)) {
            *dying = true;
            continue;
        }
        if (p->oom_score_adj == OOM_SCORE_ADJ_MIN)
            continue;
        bad = badness(p, &resident);
        if (!worst || bad >= most) {
            worst = p;
            most = bad;
            *pages = resident;
        }
    }
    return worst;
}

/* [proc_lock held] Whether the victim is still on its way out and may have more time. */
static bool victim_is_dying(void)
{
    struct proc *p = victim_pid ? proc_find(victim_pid) : NULL;

    return p && p->state == PROC_ALIVE && p->space && time_mono_ns() < victim_deadline;
}

/* Many may wait, and none is to take the CPU from the victim: they ask for no memory meanwhile, and
 * go behind it on the run queue. */
static void await_victim(void)
{
    bool wait = true;

    while (wait && !fatal_signal_pending()) {
        thread_current()->slice = 0;
        thread_current()->state = THREAD_BLOCKED;
        schedule_until(time_mono_ns() + NSEC_PER_TICK);
        spin_lock(&proc_lock);
        wait = victim_is_dying();
        spin_unlock(&proc_lock);
    }
}

bool oom_kill(void)
{
    struct proc *self = proc_current(), *p = NULL;
    uint32_t pages = 0;
    bool wait, dying = false;

    if (fatal_signal_pending())
        return false;
    spin_lock(&proc_lock);
    wait = victim_is_dying();
    if (!wait) {
        p = choose(&pages, &dying);
        victim_pid = p ? p->pid : 0;
        victim_deadline = time_mono_ns() + PATIENCE_TICKS * NSEC_PER_TICK;
        if (p) {
            klog(LOG_ERR, "Out of memory: Killed process %d (%s), resident %u kB, for %s (%d)\n",
                 p->pid, p->comm, pages * (PAGE_SIZE / 1024), self->comm, self->pid);
            signal_send_proc(p, SIGKILL, NULL);
        }
    }
    wait |= dying;
    spin_unlock(&proc_lock);
    if (!wait && !p && self == init_proc) {
        klog(LOG_ERR, "Out of memory: init is the only process left\n");
        signal_begin_group_exit(self, SIGKILL);
    }
    if (p == self || (!p && !wait))
        return false;
    await_victim();
    return true;
}
