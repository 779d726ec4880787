/* The gate behind page faults: see faultgate.h. What trace_mask says of it is its switch, so that a
 * fault that nobody watches pays nothing. */
#include "kernel/thread/faultgate.h"
#include "kernel/thread/proc.h"
#include "kernel/thread/sched.h"
#include "kernel/thread/trace.h"
#include "libc/errno.h"

static struct spinlock gate_lock = SPINLOCK_INIT("fault gate", LOCK_RANK_LEAF);
static struct waitq gate_wait = {
    .lock = SPINLOCK_INIT("fault gate", LOCK_RANK_WAITQ),
    .waiters = LIST_INIT(gate_wait.waiters),
};
static const void *holder; /* [gate_lock] NULL: the gate is open */
static int32_t watcher;    /* [gate_lock] its process */
static uint32_t passes;    /* [gate_lock] faults that may still go by */

int fault_gate_hold(const void *key)
{
    int err = -EBUSY;

    spin_lock(&gate_lock);
    if (!holder || holder == key) {
        holder = key;
        watcher = proc_current()->pid;
        passes = 0;
        __atomic_fetch_or(&trace_mask, TRACE_HELD, __ATOMIC_RELAXED);
        err = 0;
    }
    spin_unlock(&gate_lock);
    return err;
}

int fault_gate_pass(const void *key, uint32_t n)
{
    int err = -EINVAL;

    spin_lock(&gate_lock);
    if (holder == key) {
        passes = n;
        err = 0;
    }
    spin_unlock(&gate_lock);
    if (!err)
        wake_all(&gate_wait);
    return err;
}

void fault_gate_open(const void *key)
{
    spin_lock(&gate_lock);
    if (holder == key) {
        holder = NULL;
        __atomic_fetch_and(&trace_mask, ~(uint32_t)TRACE_HELD, __ATOMIC_RELAXED);
    }
    spin_unlock(&gate_lock);
    wake_all(&gate_wait);
}

/* Takes one of the passes, if that is what it needs. */
static bool may_pass(void)
{
    bool may;

    spin_lock(&gate_lock);
    may = !holder || passes || watcher == proc_current()->pid;
    if (holder && passes && watcher != proc_current()->pid)
        passes--;
    spin_unlock(&gate_lock);
    return may;
}

void fault_gate_wait(void)
{
    (void)wait_event_interruptible(&gate_wait, may_pass());
}
