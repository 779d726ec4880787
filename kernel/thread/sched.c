/*
 * The scheduler: which thread runs, and for how long. Round robin in two queues: threads that woke
 * up with time left go before those that used their slice up. A thread is on a queue, or runs, or
 * neither (asleep), never two of them.
 *
 * sched_lock is held across a switch: the thread that comes up releases it, and only then can
 * another CPU pick the one that went down.
 */
#include "kernel/thread/sched.h"
#include "arch/cpu.h"
#include "arch/thread.h"
#include "arch/uaccess.h"
#include "kernel/thread/load.h"
#include "kernel/thread/proc.h"
#include "kernel/machine/random.h"
#include "kernel/time/time.h"
#include "kernel/thread/trace.h"
#include "mm/vm.h"

#define SLICE_DEFAULT 3 /* ticks: 30 ms */

static struct spinlock sched_lock = SPINLOCK_INIT("sched", LOCK_RANK_SCHED);
static struct list ready = LIST_INIT(ready);     /* [sched_lock] with time left */
static struct list expired = LIST_INIT(expired); /* [sched_lock] with a new slice */
static uint64_t nr_switches;                     /* [sched_lock] */
static uint32_t nr_queued;                       /* [sched_lock] on both */

uint32_t sched_slice(int nice)
{
    int slice = SLICE_DEFAULT - nice * SLICE_DEFAULT / 20;

    return slice < 1 ? 1 : (uint32_t)slice;
}

uint64_t sched_switches(void)
{
    return nr_switches;
}

uint32_t sched_runnable(void)
{
    struct cpu *c = cpu_self();

    return nr_queued + (c->current != c->idle);
}

/* [sched_lock held] */
static void enqueue(struct thread *t)
{
    if (t->slice) {
        list_add_tail(&ready, &t->run_link);
    } else {
        t->slice = sched_slice(t->proc->nice);
        list_add_tail(&expired, &t->run_link);
    }
    nr_queued++;
}

/* [sched_lock held] */
static struct thread *dequeue(struct cpu *c)
{
    struct list *head = list_empty(&ready) ? &expired : &ready;

    if (list_empty(head))
        return c->idle;
    struct thread *t = list_first_entry(head, struct thread, run_link);
    list_remove(&t->run_link);
    nr_queued--;
    return t;
}

static void charge(struct thread *t)
{
    uint64_t now = time_mono_ns();

    t->run_ns += now - t->ran_at;
    t->ran_at = now;
}

void sched_charge_current(void)
{
    charge(thread_current());
}

void sched_use_space(struct vm_space *s)
{
    struct cpu *c = cpu_self();

    if (c->space == s)
        return;
    c->space = s;
    vm_space_activate(s);
}

/* The first thing a thread does when it comes up: lets go of the lock that the one before it took,
 * and buries that one if it was dead. */
static void finish_switch(bool irq_was_on)
{
    struct cpu *c = cpu_self();
    struct thread *prev = c->switched_from;

    c->irq_was_on = irq_was_on;
    spin_unlock(&sched_lock);
    if (__builtin_expect(prev->state == THREAD_DEAD, 0))
        thread_bury(prev);
}

static void switch_to(struct cpu *c, struct thread *prev, struct thread *next)
{
    bool irq_was_on = c->irq_was_on;

    charge(prev);
    next->ran_at = prev->ran_at;
    prev->on_cpu = false;
    next->on_cpu = true;
    c->current = next;
    c->switched_from = prev;
    nr_switches++;
    if (next->proc->space)
        sched_use_space(next->proc->space);
    if (tracing(TRACE_SCHED))
        trace_switch(prev, next);
    arch_switch(prev, next);
    finish_switch(irq_was_on);
}

void schedule(void)
{
    struct cpu *c = cpu_self();
    struct thread *prev = c->current;

    spin_lock(&sched_lock);
    DEBUG_ASSERT(c->spin_depth == 1);
    c->need_resched = false;
    if (prev->state == THREAD_RUNNABLE) {
        if (!nr_queued) {
            if (!prev->slice)
                prev->slice = sched_slice(prev->proc->nice);
            spin_unlock(&sched_lock);
            return;
        }
        prev->usage.involuntary++;
        if (prev != c->idle)
            enqueue(prev);
    } else {
        prev->usage.voluntary++;
    }
    struct thread *next = dequeue(c);
    if (next == prev)
        spin_unlock(&sched_lock);
    else
        switch_to(c, prev, next);
}

void sched_yield_current(void)
{
    thread_current()->slice = 0;
    schedule();
}

/* [sched_lock held] A sleeper runs before those that used up their slice, and who slept as long as
 * a slice has a new one: what computes little never waits for all that compute. Woken by an
 * interrupt it runs at once, so that keys and timers are answered while others compute. */
static void make_runnable(struct thread *t)
{
    struct cpu *c = cpu_self();

    t->state = THREAD_RUNNABLE;
    if (t->on_cpu || !list_empty(&t->run_link))
        return;
    if (t->slice < SLICE_DEFAULT && time_mono_ns() - t->ran_at >= SLICE_DEFAULT * NSEC_PER_TICK)
        t->slice = sched_slice(t->proc->nice);
    enqueue(t);
    if (c->irq_depth || c->current == c->idle)
        c->need_resched = true;
}

void sched_wake(struct thread *t)
{
    spin_lock(&sched_lock);
    if (t->state != THREAD_RUNNABLE && t->state != THREAD_DEAD)
        make_runnable(t);
    spin_unlock(&sched_lock);
}

bool sched_wake_from(struct thread *t, enum thread_state s)
{
    bool woken;

    spin_lock(&sched_lock);
    woken = t->state == s;
    if (woken)
        make_runnable(t);
    spin_unlock(&sched_lock);
    return woken;
}

void sched_hurry(struct thread *t)
{
    spin_lock(&sched_lock);
    if (!list_empty(&t->run_link)) {
        list_remove(&t->run_link);
        list_add(&ready, &t->run_link);
    }
    spin_unlock(&sched_lock);
}

/* The new thread lives on its creator's slice, so that a fork bomb does not get ahead of everybody.
 */
void sched_start(struct thread *t)
{
    struct thread *self = thread_current();

    spin_lock(&sched_lock);
    t->slice = self->slice > 1 ? (self->slice + 1) / 2 : 0;
    self->slice -= t->slice;
    t->state = THREAD_RUNNABLE;
    enqueue(t);
    if (cpu_self()->current == cpu_self()->idle)
        cpu_self()->need_resched = true;
    spin_unlock(&sched_lock);
}

void sched_tick(bool user)
{
    struct cpu *c = cpu_self();
    struct thread *t = c->current;

    if (!t || t == c->idle) {
        load_tick(CPU_IDLE);
        return;
    }
    random_mix(t->tf ? t->tf->eip : 0);
    if (user)
        t->user_ticks++;
    else
        t->system_ticks++;
    load_tick(!user ? CPU_SYSTEM : t->proc->nice > 0 ? CPU_NICE : CPU_USER);
    if (t->proc->space)
        signal_charge_cpu(t, NSEC_PER_TICK, user);
    if (t->slice && --t->slice == 0)
        c->need_resched = true;
}

/* The first switch to a user thread comes here and goes on to user mode, by way of return_to_user
 * when there is something for it to do. */
void thread_first_run(void)
{
    struct thread *t;

    finish_switch(true);
    t = thread_current();
    if (t->set_child_tid)
        put_user_u32(t->set_child_tid, (uint32_t)t->tid);
}

void kthread_first_run(void)
{
    finish_switch(true);
}

void sched_init(void)
{
    struct cpu *c = cpu_self();
    struct thread *t = &boot_thread;

    list_init(&t->run_link);
    t->state = THREAD_RUNNABLE;
    t->on_cpu = true;
    c->current = c->idle = t;
    c->switched_from = t;
    c->space = NULL;
}

void sched_idle(void)
{
    for (;;) {
        irq_disable();
        if (nr_queued) {
            irq_enable();
            schedule();
        } else {
            for (uint32_t lost = clock_idle(timer_next()); lost; lost--)
                load_tick(CPU_IDLE);
        }
    }
}
