/*
 * Threads, the run queue, sleeping and waking. The kernel is not preempted: a path switches only
 * where it sleeps, at a marked point (sched_point), or on its way to user mode.
 */
#ifndef KERNEL_SCHED_H
#define KERNEL_SCHED_H

#include <stdbool.h>
#include <stdint.h>
#include "arch/lock.h"
#include "libc/list.h"

#define TIMER_SLACK_NS 50000u /* of the first process: prctl */

enum thread_state {
    THREAD_RUNNABLE, /* running or on the run queue */
    THREAD_SLEEPING, /* interruptible: a signal wakes it */
    THREAD_BLOCKED,  /* uninterruptible */
    THREAD_STOPPED,  /* by a signal, until SIGCONT or SIGKILL */
    THREAD_TRACED,   /* for its tracer, until that lets it go on, or SIGKILL */
    THREAD_DEAD,
};

struct thread;
struct vm_space;

static inline struct thread *thread_current(void)
{
    return (struct thread *)CPU_LOCAL(current);
}

/* How a thread is scheduled, man 7 sched. */
enum {
    SCHED_OTHER,
    SCHED_FIFO,
    SCHED_RR,
    SCHED_BATCH,
    SCHED_IDLE = 5,
    SCHED_DEADLINE, /* there is none: whoever asks is told that there is not enough time */
};
#define SCHED_PRIORITY_MAX 99

struct sched_attr {
    uint8_t policy;
    uint8_t priority; /* FIFO and RR: 1 to SCHED_PRIORITY_MAX; else 0 */
    int8_t nice;
    bool reset_on_fork;
};

/* /proc/sys/kernel/sched_*: what real-time threads may take of a processor, and the bounds of what
 * SCHED_DEADLINE may ask for. */
struct sched_settings {
    int32_t realtime_period_us, realtime_runtime_us;
    uint32_t deadline_period_min_us, deadline_period_max_us;
};
#define SCHED_UNLIMITED (-1)
extern struct sched_settings sched_settings;
int sched_set_realtime(int32_t period_us, int32_t runtime_us); /* -EINVAL */

static inline bool sched_is_realtime(const struct sched_attr *a)
{
    return a->policy == SCHED_FIFO || a->policy == SCHED_RR;
}

void schedule(void);       /* give up the CPU; as current->state says */
void sched_give_way(void); /* let others run, whatever current->state says */
/*
 * A marked point of long work: whoever waits for the CPU gets it here. Every loop whose length a
 * program chooses passes one at least every 50,000 instructions, with no spin lock held and nothing
 * half done. It costs one test.
 */
static inline void sched_point(void)
{
    DEBUG_ASSERT(!cpu_self()->spin_depth);
    latency_point();
    if (__builtin_expect(CPU_LOCAL(wanted), 0))
        sched_give_way();
}
/* The longest that a thread was asked to give up the CPU and did not. */
struct sched_wait {
    uint64_t cycles;
    int32_t tid, call; /* who it was, in which system call (-1: none) */
    uint32_t calls[6]; /* on its way to the switch: return addresses */
};
void sched_longest_wait(struct sched_wait *out, bool forget);
/* Makes t runnable if it sleeps, is blocked or stopped. Wakes may be spurious: sleepers test again.
 */
void sched_wake(struct thread *t);
bool sched_wake_from(struct thread *t,
                     enum thread_state s); /* only if it is in s; whether it was */
void sched_hurry(struct thread *t);        /* if it waits for the CPU, it is next */
/* If t, just woken, has time left, it runs before current comes back to user mode. */
void sched_prefer(struct thread *t);
void sched_start(struct thread *t); /* first time: t, prepared by arch_thread_init_*, may run */
void sched_tick(bool user);         /* from the timer interrupt; user: it came from user mode */
void sched_yield_current(void);
void sched_init(void);             /* the boot thread becomes this CPU's current and idle thread */
void sched_start_processors(void); /* all that there are; maxcpus= */
_Noreturn void sched_idle(void);   /* the boot thread's end, and all that further ones' do */
void sched_interrupt(struct thread *t); /* if it runs elsewhere, it comes to look at its work */
/* Makes s the space of the running CPU; NULL: kernel only. Skips the load when it is already. */
void sched_use_space(struct vm_space *s);
void sched_charge_current(void); /* brings current's run_ns up to date */
/* How long it has run and has waited for a CPU, in ns: up to when it last came or went. */
void sched_times(const struct thread *t, uint64_t *ran, uint64_t *waited);
uint32_t sched_slice(const struct sched_attr *a); /* ticks; 0: until it gives up the CPU */
void sched_set_attr(struct thread *t, const struct sched_attr *a); /* valid ones */
void sched_inherit(struct thread *t, uint8_t priority); /* a real-time one that it is lent, or 0 */
uint32_t sched_cpus(const struct thread *t);            /* of those that there are; NULL: all */
void sched_set_cpus(struct thread *t, uint32_t cpus);   /* all ones: wherever it likes */
/* Lets another processor in that waits; whether this one is to switch. */
bool sched_pass_kernel(void);
struct sched_attr sched_fork_attr(const struct sched_attr *parent); /* a child's */
uint64_t sched_switches(void);                                      /* ever: /proc/stat */
struct sched_counts;                                                /* runqueue.h */
/* What /proc/schedstat tells of a processor, and how long it had something to do. */
void sched_counts_of(unsigned cpu, struct sched_counts *out, uint64_t *busy_ns);
uint32_t sched_runnable(void); /* how many threads run or want to: /proc/loadavg */

/* ---- Wait queues ---- */

struct waitq {
    struct spinlock lock;
    struct list waiters; /* [lock] struct wait_entry */
};

struct wait_entry {
    struct list link; /* [its waitq's lock] */
    struct thread *thread;
    struct waitq *queue;
    void (*wake)(
        struct wait_entry *e); /* called with the queue's lock held; NULL: sched_wake(thread) */
};

void waitq_init(struct waitq *q);
/* Joins q and sets current->state; then check the condition, then schedule(), then waitq_finish. */
void waitq_prepare(struct waitq *q, struct wait_entry *e, enum thread_state state);
void waitq_finish(struct wait_entry *e); /* leaves the queue, state runnable again */
/* Joins q with a callback and no change of state, for poll; waitq_remove leaves. */
void waitq_add(struct waitq *q, struct wait_entry *e, void (*wake)(struct wait_entry *e));
void waitq_remove(struct wait_entry *e);
/* Wakes everybody; they stay on the queue until waitq_finish. A marked point where very many wait
 * and the caller holds no spin lock: then q has to outlive the call. */
void wake_all(struct waitq *q);
/* The one that waits longest, which leaves the queue: only where every waiter waits for the same,
 * and never where poll waits. */
void wake_one(struct waitq *q);

bool signal_pending_current(void); /* kernel/signal/signal.c: an unblocked signal waits */

#define ERESTARTSYS           512 /* internal: restart if SA_RESTART, else -EINTR */
#define ERESTARTNOINTR        513 /* internal: always restart (fork) */
#define ERESTARTNOHAND        514 /* internal: restart if no handler ran, else -EINTR */
#define ERESTART_RESTARTBLOCK 516 /* internal: nanosleep, poll: restart with what is left */

/* Sleep until cond is true. cond is evaluated without locks, and never again once it was true. */
#define wait_event(q, cond) wait_event_as(q, cond, THREAD_BLOCKED)
/* The same for kernel threads without work, which no load average and no watchdog shall count. */
#define wait_event_idle(q, cond) wait_event_as(q, cond, THREAD_SLEEPING)
#define wait_event_as(q, cond, how)                                                                \
    do {                                                                                           \
        struct wait_entry we_;                                                                     \
        bool done_ = (cond);                                                                       \
        while (!done_) {                                                                           \
            waitq_prepare((q), &we_, (how));                                                       \
            done_ = (cond);                                                                        \
            if (!done_) {                                                                          \
                schedule();                                                                        \
                waitq_finish(&we_);                                                                \
                done_ = (cond);                                                                    \
            } else {                                                                               \
                waitq_finish(&we_);                                                                \
            }                                                                                      \
        }                                                                                          \
    } while (0)

/* The same, ended early by a signal: 0 or -ERESTARTSYS. */
#define wait_event_interruptible(q, cond)                                                          \
    ({                                                                                             \
        int ret_ = 0;                                                                              \
        struct wait_entry we_;                                                                     \
        bool done_ = (cond);                                                                       \
        while (!done_ && !ret_) {                                                                  \
            waitq_prepare((q), &we_, THREAD_SLEEPING);                                             \
            done_ = (cond);                                                                        \
            if (done_ || signal_pending_current()) {                                               \
                ret_ = done_ ? 0 : -ERESTARTSYS;                                                   \
                waitq_finish(&we_);                                                                \
            } else {                                                                               \
                schedule();                                                                        \
                waitq_finish(&we_);                                                                \
                done_ = (cond);                                                                    \
            }                                                                                      \
        }                                                                                          \
        ret_;                                                                                      \
    })

/* ---- Sleep locks ---- */

struct mutex {
    struct thread *owner; /* atomic; NULL: free */
    struct waitq waiters;
    enum mutex_rank rank;
};

#define MUTEX_INIT(lockvar, lockrank)                                                              \
    {                                                                                              \
        .waiters = {.lock = SPINLOCK_INIT(#lockvar, LOCK_RANK_WAITQ),                              \
                    .waiters = LIST_INIT((lockvar).waiters.waiters)},                              \
        .rank = (lockrank)                                                                         \
    }

void mutex_init(struct mutex *m, enum mutex_rank rank);
void mutex_lock(struct mutex *m); /* may sleep, not interruptible */
bool mutex_trylock(struct mutex *m);
void mutex_unlock(struct mutex *m);
void mutex_check_none_held(void); /* debug builds */

#endif
