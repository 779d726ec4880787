/*
 * What mm/ asks of the kernel (mm/port.h): sleeping on a channel, who runs, what time it is.
 * Channels are hashed to a few wait queues; strangers on the same queue get spurious wake-ups,
 * which the contract allows.
 */
#include "kernel/thread/mmport.h"
#include "arch/trap.h"
#include "kernel/thread/inject.h"
#include "kernel/thread/proc.h"
#include "kernel/thread/sched.h"
#include "kernel/thread/stall.h"
#include "libc/errno.h"
#include "mm/port.h"

#define QUEUES 16

static struct waitq queues[QUEUES];

static struct waitq *queue_of(const void *chan)
{
    return &queues[((uintptr_t)chan >> 4) % QUEUES];
}

void mmport_init(void)
{
    for (int i = 0; i < QUEUES; i++)
        waitq_init(&queues[i]);
}

/* A kernel thread waits for work: it is not shown as one that is held up (D). */
static void sleep_on(const void *chan, struct spinlock *lock)
{
    bool idle = !proc_current()->space;
    struct wait_entry e;

    waitq_prepare(queue_of(chan), &e, idle ? THREAD_SLEEPING : THREAD_BLOCKED);
    spin_unlock(lock);
    schedule();
    waitq_finish(&e);
}

/* The fault is what brought the program into the kernel. */
static bool for_user(void)
{
    const struct trapframe *tf = thread_current()->arch.tf;

    return tf && tf->trapno == TRAP_PAGE_FAULT;
}

/* In a system call only what kills ends it: with other signals waiting it looks from time to time.
 */
static int sleep_served(const void *chan, struct spinlock *lock)
{
    bool user = for_user();
    struct wait_entry e;
    int err = 0;

    waitq_prepare(queue_of(chan), &e, THREAD_SLEEPING);
    spin_unlock(lock);
    if (!signal_pending_current())
        schedule();
    else if (user || fatal_signal_pending())
        err = user ? -EINTR : -EFAULT;
    else
        schedule_until(time_mono_ns() + NSEC_PER_TICK);
    waitq_finish(&e);
    return err;
}

static void wake_sleepers(const void *chan)
{
    wake_all(queue_of(chan));
}

static bool yield(void)
{
    uint64_t before = sched_switches();

    sched_point();
    return sched_switches() != before;
}

static void identify(int32_t *pid, int32_t *parent)
{
    struct proc *p = proc_current();

    spin_lock(&proc_lock);
    *pid = p->pid;
    *parent = p->parent ? p->parent->pid : 0;
    spin_unlock(&proc_lock);
}

static uint32_t processor(void)
{
    return cpu_self()->id;
}

static void count_fault(bool major)
{
    struct rusage_counts *u = &thread_current()->usage;

    ++*(major ? &u->major_faults : &u->minor_faults);
}

static unsigned writing_out(int change)
{
    return thread_current()->writing_out += (unsigned)change;
}

/* Who makes memory free himself has a part of it that is kept for him; who dies, and writes his
 * core, is no one's heir. */
static bool relieve(void)
{
    const struct proc *p = proc_current();

    return p->space && !p->sig.group_exit && !thread_current()->writing_out && oom_kill();
}

const struct mm_port kernel_mm_port = {
    .sleep = sleep_on,
    .wakeup = wake_sleepers,
    .sleep_served = sleep_served,
    .for_user = for_user,
    .yield = yield,
    .identify = identify,
    .processor = processor,
    .now = time_mono_ns,
    .count_fault = count_fault,
    .writing_out = writing_out,
    .stalled = stall_memory,
    .relieve = relieve,
    .allocation_fails = inject_decides,
};
