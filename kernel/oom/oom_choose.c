/*
 * Who is to die when memory runs out: the process that gives back most, frames, swap and kernel
 * memory alike. When none is big, many small ones have eaten the memory: then the process group
 * that holds most in all loses one, so that a bomb of tiny processes does not look smaller than a
 * fresh `cat`.
 *
 * proc_lock is held for a bounded number of steps at a time; serial numbers tell where to go on.
 */
#include "arch/thread.h"
#include "kernel/oom/oom.h"
#include "kernel/signal/signal_impl.h"
#include "mm/swap.h"
#include "kernel/thread/sched.h"

#define STEP        2u  /* processes looked at with proc_lock held */
#define GROUPS      24u /* process groups that are told apart */
#define SMALL_PART  16u /* a process below this part of memory is small */
#define GROUP_SMALL 4u  /* so many members are no bomb */

struct candidate {
    int32_t pid; /* 0: none */
    int32_t points;
};

struct group {
    int32_t pgid; /* 0: unused */
    int32_t points;
    uint32_t members;
    struct candidate worst;
};

struct hunt {
    struct proc_place after; /* the last one looked at */
    bool dying;
    struct candidate worst;
    struct group groups[GROUPS];
};

bool oom_is_dying(const struct proc *p)
{
    return p->sig.group_exit || (p->sig.queue.pending & SIGMASK(SIGKILL));
}

static uint32_t thread_bytes(const struct proc *p)
{
    return p->nthreads * (KSTACK_SIZE + (uint32_t)sizeof(struct thread));
}

static uint32_t (*files_bytes)(struct files *t); /* set once at boot */

void oom_count_files(uint32_t (*held_bytes)(struct files *t))
{
    files_bytes = held_bytes;
}

void oom_measure(const struct proc *p, struct oom_size *out)
{
    struct vm_space_brief space;
    uint32_t bytes = thread_bytes(p) + sizeof(*p) +
                     (p->sig.queued + p->sig.timers) * sizeof(struct queued_signal);

    vm_space_brief(p->space, &space);
    if (p->files && files_bytes)
        bytes += files_bytes(p->files);
    *out = (struct oom_size){
        .resident = space.resident,
        .file = space.resident_file,
        .total = space.size,
        .overhead = space.overhead,
        .swapped = space.swapped,
        .kernel = bytes / PAGE_SIZE,
    };
}

/* Memory and swap. */
static int32_t total_pages(void)
{
    struct vm_swap_stats swap;

    vm_swap_stats(&swap);
    return (int32_t)(vm_total_frames() + swap.total);
}

int32_t oom_badness(const struct proc *p, const struct oom_size *size)
{
    int32_t pages = (int32_t)(size->resident + size->swapped + size->overhead + size->kernel);

    return pages + p->oom_score_adj * (total_pages() / 1000);
}

/* The scale of Linux: memory counts 1000 thousandths, and 1000 is added before 2/3 of it. */
uint32_t oom_score(const struct proc *p)
{
    struct oom_size size;
    int32_t points;

    if (!p->space || p->oom_score_adj == OOM_SCORE_ADJ_MIN)
        return 0;
    oom_measure(p, &size);
    points = 1000 + (int32_t)((int64_t)oom_badness(p, &size) * 1000 / total_pages());
    return points > 0 ? (uint32_t)points * 2 / 3 : 0;
}

/* Of two as bad as each other the younger, which has done less. */
static void consider(struct candidate *worst, const struct proc *p, int32_t points)
{
    if (!worst->pid || points >= worst->points)
        *worst = (struct candidate){.pid = p->pid, .points = points};
}

static void add_to_group(struct hunt *h, const struct proc *p, int32_t points)
{
    struct group *g = h->groups;

    while (g < h->groups + GROUPS && g->pgid && g->pgid != p->pgid)
        g++;
    if (g == h->groups + GROUPS || points <= 0)
        return;
    g->pgid = p->pgid;
    g->points += points;
    g->members++;
    consider(&g->worst, p, points);
}

/* [proc_lock held] init is spared: without it there is no machine to save. Nor is one chosen that
 * dies already. */
static void look_at(struct hunt *h, const struct proc *p)
{
    struct oom_size size;
    int32_t points;

    if (p == init_proc || p->state != PROC_ALIVE || !p->space)
        return;
    if (oom_is_dying(p)) {
        h->dying = true;
        return;
    }
    if (p->oom_score_adj == OOM_SCORE_ADJ_MIN)
        return;
    oom_measure(p, &size);
    points = oom_badness(p, &size);
    consider(&h->worst, p, points);
    add_to_group(h, p, points);
}

/* Some processes more; false when there are none. */
static bool hunt_step(struct hunt *h)
{
    struct proc *p = NULL;

    spin_lock(&proc_lock);
    for (uint32_t n = 0; n < STEP && (p = proc_after(&h->after)); n++)
        look_at(h, p);
    spin_unlock(&proc_lock);
    return p != NULL;
}

static const struct group *biggest_group(const struct hunt *h)
{
    const struct group *most = &h->groups[0];

    for (const struct group *g = most; g < h->groups + GROUPS; g++)
        if (g->points > most->points)
            most = g;
    return most;
}

int32_t oom_choose(bool *dying)
{
    struct hunt h = {0};
    const struct group *g;

    while (hunt_step(&h))
        sched_point();
    *dying = h.dying;
    g = biggest_group(&h);
    if (h.worst.points < total_pages() / (int32_t)SMALL_PART && g->members > GROUP_SMALL &&
        g->points / 2 > h.worst.points)
        return g->worst.pid;
    return h.worst.pid;
}
