/* The thread that resets disks which failed or do not answer, and waits that drivers share. */
#include "arch/io.h"
#include "fs/block/internal.h"
#include "kernel/base/log.h"
#include "kernel/thread/proc.h"

#define SHORT_TURNS 100u

static struct spinlock queues_lock = SPINLOCK_INIT("block queues", LOCK_RANK_FS);
static struct list queues = LIST_INIT(queues); /* [queues_lock] only grows */
static struct waitq wanted;
static bool look; /* atomic */

void recovery_wake(void)
{
    __atomic_store_n(&look, true, __ATOMIC_SEQ_CST);
    wake_all(&wanted);
}

static void reset(struct block_queue *q)
{
    int err = q->driver->reset(q);

    klog(err ? LOG_ERR : LOG_WARN, "%s: %s\n", q->whole.name,
         err ? "does not come back, given up" : "was reset");
    queue_end_reset(q, err);
}

static void recovery_main(void *arg)
{
    struct block_queue *q;

    (void)arg;
    for (;;) {
        wait_event_idle(&wanted, __atomic_exchange_n(&look, false, __ATOMIC_SEQ_CST));
        list_for_each_entry (q, &queues, all)
            if (queue_begin_reset(q))
                reset(q);
    }
}

void recovery_add(struct block_queue *q)
{
    static bool started; /* [queues_lock] */
    bool first;

    spin_lock(&queues_lock);
    list_add_tail(&queues, &q->all);
    first = !started;
    started = true;
    spin_unlock(&queues_lock);
    if (!first)
        return;
    waitq_init(&wanted);
    if (!kthread_create("block", recovery_main, NULL))
        panic("no memory for the thread that resets disks");
}

void block_pause(unsigned turn)
{
    struct thread *t = thread_current();

    if (turn < SHORT_TURNS) {
        io_delay();
        return;
    }
    t->state = THREAD_BLOCKED;
    schedule_until(time_mono_ns() + NSEC_PER_TICK);
}
