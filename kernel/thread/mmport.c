/*
 * What mm/ asks of the kernel (mm/port.h): sleeping on a channel, lines for the log, who runs.
 * Channels are hashed to a few wait queues; strangers on the same queue get spurious wake-ups,
 * which the contract allows.
 */
#include "kernel/thread/mmport.h"
#include "kernel/base/log.h"
#include "kernel/thread/proc.h"
#include "kernel/thread/sched.h"
#include "libc/printf.h"
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

void port_sleep(const void *chan, struct spinlock *lock)
{
    struct wait_entry e;

    waitq_prepare(queue_of(chan), &e, THREAD_BLOCKED);
    spin_unlock(lock);
    schedule();
    waitq_finish(&e);
}

void port_wakeup(const void *chan)
{
    wake_all(queue_of(chan));
}

void port_yield(void)
{
    if (cpu_self()->need_resched)
        schedule();
}

void port_identify(int32_t *pid, int32_t *parent)
{
    struct proc *p = proc_current();

    spin_lock(&proc_lock);
    *pid = p->pid;
    *parent = p->parent ? p->parent->pid : 0;
    spin_unlock(&proc_lock);
}

void port_count_fault(bool major)
{
    struct rusage_counts *u = &thread_current()->usage;

    ++*(major ? &u->major_faults : &u->minor_faults);
}

uint64_t port_now(void)
{
    return time_mono_ns();
}

void port_log(const char *fmt, ...)
{
    char line[160];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    klog(LOG_WARN, "%s\n", line);
}
