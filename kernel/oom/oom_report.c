/*
 * What the log says when memory runs out, in Linux's form: who asked, memory by kind, swap, the
 * tasks, and who died. Only the line about the death is always there.
 */
#include "kernel/base/log.h"
#include "kernel/oom/oom.h"
#include "mm/swap.h"

#define KB(pages) ((pages) * (PAGE_SIZE / 1024))
#define PAUSE_NS  (5 * NSEC_PER_SEC) /* between two reports */
#define TASKS_MAX 64u /* of the table: on a machine full of bombs the rest is alike */
#define STEP      4u  /* tasks printed with proc_lock held */

static bool is_due(void)
{
    static uint64_t next; /* [proc_lock] */
    uint64_t now = time_mono_ns();
    bool due;

    spin_lock(&proc_lock);
    due = now >= next;
    if (due)
        next = now + PAUSE_NS;
    spin_unlock(&proc_lock);
    return due;
}

static void report_memory(void)
{
    struct vm_swap_stats swap;
    struct mem_stats m;

    mm_stats(&m);
    vm_swap_stats(&swap);
    klog(LOG_WARN, "Mem-Info:\n");
    klog(LOG_WARN, "active_anon:%u active_file:%u shmem:%u mlocked:%u\n", m.anon,
         m.cached - m.cached_shmem, m.cached_shmem, m.locked);
    klog(LOG_WARN, " slab_unreclaimable:%u kernel:%u pagetables:%u free:%u of %u\n", m.slab,
         m.kernel - m.slab, m.tables, m.free, m.total);
    klog(LOG_WARN, "%u pages in swap cache\n", swap.cached);
    klog(LOG_WARN, "Free swap  = %ukB\n", KB(swap.total - swap.used));
    klog(LOG_WARN, "Total swap = %ukB\n", KB(swap.total));
}

static void report_task(const struct proc *p)
{
    struct oom_size s;

    oom_measure(p, &s);
    klog(LOG_INFO, "[%7d] %5u %5d %8u %8u %14u %8u %8u %13d %s\n", p->pid, p->cred.uid, p->pid,
         s.total, s.resident, s.overhead * PAGE_SIZE, s.swapped, KB(s.kernel), p->oom_score_adj,
         p->comm);
}

/* The next few; false when all have been. */
static bool report_some(struct proc_place *after, uint32_t *tasks)
{
    struct proc *p = NULL;

    spin_lock(&proc_lock);
    for (uint32_t n = 0; n < STEP && (p = proc_after(after)); n++)
        if (p->space && ++*tasks <= TASKS_MAX)
            report_task(p);
    spin_unlock(&proc_lock);
    return p != NULL;
}

void oom_report_state(void)
{
    const struct proc *p = proc_current();
    struct proc_place after = {0};
    uint32_t tasks = 0;

    if (!is_due())
        return;
    klog(LOG_WARN, "%s invoked oom-killer: gfp_mask=0x0, order=0, oom_score_adj=%d\n", p->comm,
         p->oom_score_adj);
    report_memory();
    klog(LOG_INFO, "Tasks state (memory values in pages):\n");
    klog(LOG_INFO, "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents kernelkB "
                   "oom_score_adj name\n");
    while (report_some(&after, &tasks))
        ;
    if (tasks > TASKS_MAX)
        klog(LOG_INFO, "(%u more)\n", tasks - TASKS_MAX);
}

void oom_report_kill(const struct proc *p)
{
    struct oom_size s;

    oom_measure(p, &s);
    klog(LOG_ERR,
         "Out of memory: Killed process %d (%s) total-vm:%ukB, anon-rss:%ukB, file-rss:%ukB, "
         "UID:%u pgtables:%ukB kernel:%ukB oom_score_adj:%d\n",
         p->pid, p->comm, KB(s.total), KB(s.resident - s.file), KB(s.file), p->cred.uid,
         KB(s.overhead), KB(s.kernel), p->oom_score_adj);
}
