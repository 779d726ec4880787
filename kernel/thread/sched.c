/*
 * The scheduler: which thread runs, and for how long. A thread is on the run queue (runqueue.c,
 * which knows whose turn it is), or runs, or neither (asleep), never two of them.
 *
 * sched_lock is held across a switch: the thread that comes up releases it, and only then can
 * another CPU pick the one that went down.
 */
#include "arch/latency.h"
#include "kernel/thread/balance.h"
#include "arch/cpu.h"
#include "arch/processors.h"
#include "arch/thread.h"
#include "arch/uaccess.h"
#include "arch/upcalls.h"
#include "kernel/thread/load.h"
#include "kernel/thread/proc.h"
#include "kernel/thread/rare.h"
#include "kernel/thread/runqueue.h"
#include "kernel/thread/stall.h"
#include "kernel/machine/random.h"
#include "kernel/time/time.h"
#include "kernel/thread/trace.h"
#include "kernel/thread/watchdog.h"
#include "mm/vm.h"

#define SLEEPER_NS (3 * NSEC_PER_TICK) /* who slept as long has a new slice */

static struct spinlock sched_lock = SPINLOCK_INIT("sched", LOCK_RANK_SCHED);
static struct runqueue queues[CPUS_MAX]; /* of each processor */
static struct sched_wait longest;        /* [sched_lock] */
static uint64_t tick_ns;                 /* [sched_lock] the clock at the last tick */

uint64_t sched_switches(void)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < cpus_online; i++)
        n += queues[i].counts.switches;
    return n;
}

void sched_counts_of(unsigned cpu, struct sched_counts *out, uint64_t *busy_ns)
{
    const struct cpu *c = cpu_get(cpu);
    const struct thread *idle = c->idle;
    uint64_t now = time_mono_ns(), idle_ns;

    spin_lock(&sched_lock);
    *out = c->queue->counts;
    idle_ns = idle->run_ns + (cpu_is_idle(c) && now > idle->ran_at ? now - idle->ran_at : 0);
    spin_unlock(&sched_lock);
    *busy_ns = now > idle_ns ? now - idle_ns : 0;
}

uint32_t sched_runnable(void)
{
    uint32_t n = runqueue_realtime();

    for (unsigned i = 0; i < cpus_online; i++)
        n += queues[i].queued + !cpu_is_idle(cpu_get(i));
    return n;
}

static void want_switch(struct cpu *c)
{
    if (!(c->wanted & CPU_WANTED_SWITCH)) {
        c->wanted_since = cpu_cycles();
        c->wanted_since_ns = tick_ns;
    }
    __atomic_fetch_or(&c->wanted, CPU_WANTED_SWITCH, __ATOMIC_RELAXED);
}

/* [sched_lock held] */
static void note_wait(const struct thread *t)
{
    uint64_t cycles = cpu_cycles() - cpu_self()->wanted_since;

    if (cycles <= longest.cycles || t == cpu_self()->idle)
        return;
    longest.cycles = cycles;
    longest.tid = t->tid;
    longest.call = t->arch.tf ? (int32_t)t->arch.tf->orig_eax : -1;
    backtrace_collect(longest.calls, sizeof(longest.calls) / sizeof(longest.calls[0]));
}

void sched_longest_wait(struct sched_wait *out, bool forget)
{
    spin_lock(&sched_lock);
    *out = longest;
    if (forget)
        longest.cycles = 0;
    spin_unlock(&sched_lock);
}

/* [sched_lock held] */
static void charge(struct thread *t)
{
    uint64_t now = time_mono_ns();

    t->run_ns += now - t->ran_at;
    t->ran_at = now;
}

void sched_charge_current(void)
{
    spin_lock(&sched_lock); /* others read both halves of the number */
    charge(thread_current());
    spin_unlock(&sched_lock);
}

void sched_times(const struct thread *t, uint64_t *ran, uint64_t *waited)
{
    spin_lock(&sched_lock);
    *ran = t->run_ns;
    *waited = t->waited;
    spin_unlock(&sched_lock);
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
static void finish_switch(uint32_t lock_flags)
{
    struct cpu *c = cpu_self();
    struct thread *prev = c->switched_from;

    c->lock_flags = lock_flags;
    spin_unlock(&sched_lock);
    if (__builtin_expect(prev->state == THREAD_DEAD, 0))
        thread_bury(prev);
}

static void switch_to(struct cpu *c, struct thread *prev, struct thread *next)
{
    uint32_t lock_flags = c->lock_flags;

    if (prev->rseq && (int32_t)prev->arch.tf->orig_eax < 0) {
        prev->rseq_interrupted = true;
        prev->arch.work = true;
    }
    charge(prev);
    next->ran_at = prev->ran_at;
    prev->on_cpu = false;
    next->on_cpu = true;
    if (__builtin_expect(next->cpu != c, 0)) {
        next->moved |= next->rseq != 0;
        next->cpu = c;
    }
    if (__builtin_expect(next->moved, 0))
        __atomic_fetch_or(&c->wanted, CPU_WANTED_LOOK, __ATOMIC_RELAXED);
    c->current = &next->arch;
    c->switched_from = prev;
    c->queue->counts.switches++;
    /* Tables that another processor may free are not kept for nothing. */
    if (next->proc->space || cpus_online > 1)
        sched_use_space(next->proc->space);
    if (tracing(TRACE_SCHED))
        trace_switch(prev, next);
    arch_switch(&prev->arch, &next->arch);
    finish_switch(lock_flags);
}

/* [sched_lock held] */
static void call_processor(struct cpu *c)
{
    want_switch(c);
    if (c != cpu_self())
        cpu_kick(c);
}

/* [sched_lock held] t waits for a processor, which is told if it idles, or if t is to come before
 * who runs there. Which one it is. */
static const struct cpu *find_processor(struct thread *t, bool ahead)
{
    struct cpu *c = cpu_self();

    if (cpus_online > 1)
        c = balance_place(t);
    runqueue_add(c->queue, t, false);
    if (ahead || cpu_is_idle(c) || runqueue_beats(t, cpu_thread(c)))
        call_processor(c);
    return c;
}

/* Whoever comes up after this sees what the caller has stored before. */
void sched_interrupt(struct thread *t)
{
    if (cpus_online == 1)
        return;
    spin_lock(&sched_lock);
    if (t->on_cpu && t->cpu != cpu_self())
        cpu_kick(t->cpu);
    spin_unlock(&sched_lock);
}

/* [sched_lock held] prev has to stop, but would go on: here when its turn comes, or at once on a
 * processor that idles. */
static void put_back(struct cpu *c, struct thread *prev)
{
    struct cpu *other = NULL;

    if (cpus_online > 1) {
        other = balance_free(prev);
        if (!other && (runqueue_priority(prev) || !(prev->cpus & 1u << c->id)))
            other = balance_place(prev);
    }
    runqueue_add(other ? other->queue : c->queue, prev, true);
    if (other && other != c && (cpu_is_idle(other) || runqueue_beats(prev, cpu_thread(other))))
        call_processor(other);
}

/* [sched_lock held] Whom c runs next. */
static struct thread *take_next(struct cpu *c)
{
    struct thread *t = runqueue_take(c->queue, 1u << c->id);

    if (!t && cpus_online > 1)
        t = balance_pull(c);
    return t ? t : c->idle;
}

static void give_up_cpu(void)
{
    struct cpu *c = cpu_self();
    struct thread *prev = thread_current(), *next;

    spin_lock(&sched_lock);
    DEBUG_ASSERT(c->spin_depth == 1);
    if (c->wanted & CPU_WANTED_SWITCH)
        note_wait(prev);
    c->wanted = 0;
    if (prev->state == THREAD_RUNNABLE) {
        if (!runqueue_any(c->queue, 1u << c->id) && (prev->cpus & 1u << c->id) && prev != c->idle) {
            if (!prev->slice)
                runqueue_new_slice(prev);
            spin_unlock(&sched_lock);
            return;
        }
        prev->usage.involuntary++;
        if (prev != c->idle)
            put_back(c, prev);
    } else {
        prev->usage.voluntary++;
    }
    next = take_next(c);
    if (next == prev) {
        spin_unlock(&sched_lock);
        return;
    }
    c->queue->counts.to_idle += next == c->idle;
    switch_to(c, prev, next);
}

void schedule(void)
{
    bool had = kernel_held();

    latency_end(LATENCY_NO_SWITCH);
    give_up_cpu();
    if (__builtin_expect(kernel_held() != had, 0))
        kernel_change(had);
    latency_begin(LATENCY_NO_SWITCH);
}

bool sched_pass_kernel(void)
{
    struct cpu *c = cpu_self();

    if (c->wanted & CPU_WANTED_KERNEL) {
        __atomic_fetch_and(&c->wanted, ~CPU_WANTED_KERNEL, __ATOMIC_RELAXED);
        cpu_pass_kernel();
    }
    return c->wanted & CPU_WANTED_SWITCH;
}

/* Who has announced a sleep already (waitq_prepare) and meets a marked point on the way must not
 * fall asleep there, past its own test: it has a spurious wake instead. */
void sched_give_way(void)
{
    struct thread *t = thread_current();

    if (!sched_pass_kernel())
        return;
    spin_lock(&sched_lock);
    t->state = THREAD_RUNNABLE;
    spin_unlock(&sched_lock);
    schedule();
}

void sched_yield_current(void)
{
    thread_current()->slice = 0;
    cpu_self()->queue->counts.yields++;
    schedule();
}

/* Whether t, which is not on the CPU, has slept long enough for a new slice. While others compute,
 * the last tick and the last switch tell the time well enough. */
static bool has_slept(const struct cpu *c, const struct thread *t)
{
    const struct thread *running = thread_current();
    uint64_t now = running->ran_at > tick_ns ? running->ran_at : tick_ns;

    if (running == c->idle)
        now = time_mono_ns();
    return (int64_t)(now - t->ran_at) >= (int64_t)SLEEPER_NS;
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
    if (t->slice < SLEEPER_NS / NSEC_PER_TICK && has_slept(c, t))
        runqueue_new_slice(t);
    c->queue->counts.wakes++;
    c->queue->counts.wakes_away += find_processor(t, c->irq_depth) != c;
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
    runqueue_hurry(t);
    spin_unlock(&sched_lock);
}

void sched_prefer(struct thread *t)
{
    spin_lock(&sched_lock);
    if (t->slice && !list_empty(&t->run_link) && t->queue == cpu_self()->queue &&
        !runqueue_priority(thread_current())) {
        runqueue_hurry(t);
        want_switch(cpu_self());
    }
    spin_unlock(&sched_lock);
}

/* [sched_lock held] t goes where its attributes of today put it. */
static void take_new_place(struct thread *t, bool queued)
{
    runqueue_new_slice(t);
    if (queued)
        find_processor(t, true);
    else if (t->on_cpu)
        call_processor(t->cpu); /* whoever is first now */
}

/* [sched_lock held] Off the queue before an attribute changes; whether it was there. */
static bool leave_place(struct thread *t)
{
    bool queued = !list_empty(&t->run_link);

    if (queued)
        runqueue_remove(t);
    return queued;
}

void sched_set_attr(struct thread *t, const struct sched_attr *a)
{
    bool queued;

    spin_lock(&sched_lock);
    queued = leave_place(t);
    t->sched = *a;
    take_new_place(t, queued);
    spin_unlock(&sched_lock);
}

void sched_inherit(struct thread *t, uint8_t priority)
{
    bool queued;

    spin_lock(&sched_lock);
    queued = leave_place(t);
    t->inherited = priority;
    take_new_place(t, queued);
    spin_unlock(&sched_lock);
}

uint32_t sched_cpus(const struct thread *t)
{
    uint32_t all = (1u << cpus_online) - 1;

    return t ? t->cpus & all : all;
}

void sched_set_cpus(struct thread *t, uint32_t cpus)
{
    bool queued;

    if (rare_has_ports(t))
        cpus = 1;
    spin_lock(&sched_lock);
    queued = leave_place(t);
    t->cpus = cpus;
    if (queued) {
        find_processor(t, false);
    } else if (t->on_cpu && !(cpus & 1u << t->cpu->id)) {
        call_processor(t->cpu);
    }
    spin_unlock(&sched_lock);
}

struct sched_attr sched_fork_attr(const struct sched_attr *parent)
{
    struct sched_attr a = *parent;

    if (!a.reset_on_fork)
        return a;
    a.reset_on_fork = false;
    if (sched_is_realtime(&a)) {
        a.policy = SCHED_OTHER;
        a.priority = 0;
        a.nice = 0;
    } else if (a.nice < 0) {
        a.nice = 0;
    }
    return a;
}

/* The new thread lives on its creator's slice, so that a fork bomb does not get ahead of everybody.
 */
void sched_start(struct thread *t)
{
    struct thread *self = thread_current();

    spin_lock(&sched_lock);
    t->slice = 0;
    if (!runqueue_priority(self) && self->slice > 1)
        t->slice = (self->slice + 1) / 2;
    self->slice -= t->slice;
    t->state = THREAD_RUNNABLE;
    find_processor(t, false);
    spin_unlock(&sched_lock);
}

/* A tick on the running processor. */
void processor_tick(bool user)
{
    struct cpu *c = cpu_self();
    struct thread *t = thread_current();

    if (!t || t == c->idle) {
        load_tick(c->id, CPU_IDLE);
        return;
    }
    random_mix(t->arch.tf ? t->arch.tf->eip : 0);
    if (user)
        t->user_ticks++;
    else
        t->system_ticks++;
    load_tick(c->id, !user ? CPU_SYSTEM : t->sched.nice > 0 ? CPU_NICE : CPU_USER);
    if (t->proc->space)
        signal_charge_cpu(t, NSEC_PER_TICK, user);
    spin_lock(&sched_lock);
    if (t->slice && --t->slice == 0)
        want_switch(c);
    if (runqueue_tick(c->queue, t))
        want_switch(c);
    if (cpus_online > 1)
        balance_tick(c);
    spin_unlock(&sched_lock);
    watchdog_tick((c->wanted & CPU_WANTED_SWITCH) && !user ? tick_ns - c->wanted_since_ns : 0);
}

/* The others tick by the first one's clock. */
void sched_tick(bool user)
{
    struct cpu *self = cpu_self();
    bool others_work = false;
    uint32_t waiting = sched_runnable();
    uint64_t now = time_mono_ns();

    spin_lock(&sched_lock);
    tick_ns = now;
    spin_unlock(&sched_lock);
    for (unsigned i = 0; i < cpus_online; i++) {
        struct cpu *c = cpu_get(i);

        if (c == self)
            continue;
        if (cpu_is_idle(c)) {
            load_tick(i, CPU_IDLE);
            if (waiting > cpus_online)
                cpu_kick(c); /* it may have missed somebody far back in a queue */
        } else {
            others_work = true;
            cpu_send_tick(c);
        }
    }
    if (!others_work)
        stall_tick(cpu_is_idle(self));
    processor_tick(user);
}

/* The first switch to a user thread comes here and goes on to user mode, by way of return_to_user
 * when there is something for it to do. */
void thread_first_run(void)
{
    struct thread *t;

    finish_switch(EFLAGS_IF);
    t = thread_current();
    if (t->set_child_tid)
        put_user_u32(t->set_child_tid, (uint32_t)t->tid);
}

void kthread_first_run(void)
{
    finish_switch(EFLAGS_IF);
    kernel_need();
}

void sched_init(void)
{
    struct cpu *c = cpu_self();
    struct thread *t = &boot_thread;

    runqueue_init();
    for (unsigned i = 0; i < CPUS_MAX; i++)
        runqueue_init_one(&queues[i]);
    list_init(&t->run_link);
    t->state = THREAD_RUNNABLE;
    t->on_cpu = true;
    t->cpu = c;
    t->cpus = UINT32_MAX;
    c->current = &t->arch;
    c->idle = t;
    c->switched_from = t;
    c->space = NULL;
    c->queue = &queues[0];
}

/* ---- Further processors ---- */

/* What one does when it comes up, on the stack of its idle thread. */
static void further_idle(void)
{
    struct cpu *c = cpu_self();
    struct thread *t = thread_current();

    t->cpu = c;
    c->idle = c->switched_from = t;
    irq_enable();
    sched_idle();
}

static struct thread *idle_thread(void)
{
    struct thread *t = thread_alloc(&kernel_proc, NULL);

    if (!t)
        return NULL;
    t->state = THREAD_RUNNABLE;
    t->on_cpu = true;
    t->cpus = UINT32_MAX;
    return t;
}

void sched_start_processors(void)
{
    unsigned found = cpus_found();

    for (unsigned n = 1; n < found; n++) {
        void *pages[CPU_PAGES] = {kalloc(), kalloc()};
        struct thread *t = idle_thread();

        if (!pages[0] || !pages[1] || !t)
            break;
        (void)cpu_start(pages, &t->arch, &queues[cpus_online], further_idle);
    }
    if (found > 1)
        cpus_started();
}

/* One that did not come to the only processor, which was idle. */
static void lost_tick(void)
{
    stall_tick(true);
    load_tick(0, CPU_IDLE);
}

/* Whether there is anybody whom c, which idles, could run. */
static bool has_work(const struct cpu *c)
{
    bool work;

    if (cpus_online == 1)
        return c->queue->queued || runqueue_realtime();
    spin_lock(&sched_lock);
    work = runqueue_any(c->queue, 1u << c->id) || balance_could_pull(c);
    spin_unlock(&sched_lock);
    return work;
}

void sched_idle(void)
{
    for (;;) {
        irq_disable();
        latency_end(LATENCY_NO_SWITCH);
        cpu_self()->wanted = 0; /* who wants something after this has queued it before, or kicks */
        if (has_work(cpu_self())) {
            irq_enable();
            schedule();
        } else {
            for (uint32_t lost = timer_idle(); lost; lost--)
                lost_tick();
        }
    }
}
