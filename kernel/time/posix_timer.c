/*
 * POSIX timers (timer_create): a kernel timer each, with the memory for its one queued signal in
 * it, so that expiring cannot fail. A periodic one starts again when that signal is taken, with the
 * periods that went by counted as overruns: short periods cost their owner's time, nobody else's.
 * One on a CPU clock runs on with that clock, and counts overruns while its signal waits.
 *
 * A process's timers change under list_lock alone.
 */
#include "arch/uaccess.h"
#include "kernel/time/clock.h"
#include "kernel/signal/signal_impl.h"
#include "libc/errno.h"

#define SIGEV_SIGNAL    0
#define SIGEV_NONE      1
#define SIGEV_THREAD    2
#define SIGEV_THREAD_ID 4

#define MAX_TIMERS 4096 /* of a process */
#define CHAINS     256u

struct posix_timer {
    struct list link;             /* [list_lock] proc->sig.posix_timers */
    struct posix_timer *of_chain; /* [list_lock] the next in the table */
    struct proc *proc;
    struct user *user; /* who is charged */
    int32_t id, clock;
    struct cpu_clock cpu; /* when it is on one */
    int32_t tid;          /* SIGEV_THREAD_ID, or 0 */
    int signo;            /* 0: SIGEV_NONE */
    const char *notify;   /* as /proc shows it */
    int asked_signo;      /* that /proc shows, also if none is sent */
    uint64_t interval;    /* [handlers->lock] */
    bool waits;           /* [handlers->lock] starts again when its signal is taken */
    struct timer timer;
    struct queued_signal signal; /* [handlers->lock] info.uid counts the overruns */
    int32_t overrun;             /* of the last signal that was queued */
    int32_t told;                /* of the last one that was taken, for timer_getoverrun */
};

struct user_sigevent {
    uint32_t value;
    int32_t signo, notify, tid;
    uint32_t pad[12];
};

struct timer_setting { /* ns; value 0: off */
    uint64_t interval, value;
};

static struct mutex list_lock = MUTEX_INIT(list_lock, MUTEX_RANK_TIMERS);

static struct posix_timer *table[CHAINS]; /* [list_lock] all of the system, by process and id */

static struct posix_timer **chain(const struct proc *p, int32_t id)
{
    return &table[((uintptr_t)p >> 6 ^ (uint32_t)id) % CHAINS];
}

/* ---- Expiry ---- */

/* Whether the signal still waits, which then stands for more expiries. */
static bool count_overrun(struct posix_timer *t, uint32_t expiries)
{
    struct spinlock *lock = &t->proc->handlers->lock;
    bool waits;

    spin_lock(lock);
    t->waits = t->interval && !clock_is_cpu(t->clock);
    waits = !list_empty(&t->signal.link);
    if (!waits)
        t->overrun = 0;
    else if (t->overrun < INT32_MAX - (int32_t)expiries)
        t->overrun += (int32_t)expiries;
    t->signal.info.uid = t->overrun;
    spin_unlock(lock);
    return waits;
}

/* Starts a periodic timer on a CPU clock again; how many periods have gone by unnoticed. */
static uint32_t forward_on_cpu(struct posix_timer *t)
{
    uint64_t now, when = t->timer.when;
    uint32_t skipped;

    if (cpu_clock_now(&t->cpu, &now))
        return 0;
    skipped = timer_next_period(&when, t->interval, now);
    cpu_clock_start(&t->cpu, &t->timer, when);
    return skipped;
}

void posix_timer_taken(struct queued_signal *signal)
{
    struct posix_timer *t = container_of(signal, struct posix_timer, signal);

    if (t->waits) {
        t->waits = false;
        t->overrun = (int32_t)timer_forward(&t->timer, t->interval);
        signal->info.uid = t->overrun;
    }
    t->told = t->overrun;
}

/* Its signal was not queued, for it is ignored: looks again, but not soon. */
static void go_on_unheard(struct posix_timer *t)
{
    uint64_t later = time_mono_ns() + NSEC_PER_TICK;
    uint32_t skipped;

    spin_lock(&t->proc->handlers->lock);
    if (t->waits && list_empty(&t->signal.link)) {
        t->waits = false;
        timer_start(&t->timer, timer_due_next(&t->timer, t->interval, later, &skipped));
    }
    spin_unlock(&t->proc->handlers->lock);
}

/* [proc_lock held] */
static void post(struct posix_timer *t, uint32_t skipped)
{
    struct thread *target = NULL;
    struct siginfo info;

    if (count_overrun(t, skipped + 1))
        return;
    t->overrun = (int32_t)skipped;
    info = t->signal.info;
    info.uid = t->overrun;
    if (t->tid)
        target = thread_find(t->tid);
    if (!t->tid || (target && target->proc == t->proc))
        signal_post(t->proc, target, t->signo, &info, &t->signal);
    go_on_unheard(t);
}

/* One without a signal needs none to be asked how much is left. */
static void expired(void *arg)
{
    struct posix_timer *t = arg;
    uint32_t skipped = t->interval && clock_is_cpu(t->clock) ? forward_on_cpu(t) : 0;

    if (!t->signo)
        return;
    spin_lock(&proc_lock);
    if (t->proc->handlers)
        post(t, skipped);
    spin_unlock(&proc_lock);
}

/* ---- Life cycle ---- */

static int set_target(struct posix_timer *t, const struct user_sigevent *ev)
{
    struct thread *target;

    t->notify = "signal";
    t->asked_signo = ev->signo;
    switch (ev->notify) {
    case SIGEV_NONE:
        t->notify = "none";
        return 0;
    case SIGEV_THREAD_ID:
        spin_lock(&proc_lock);
        if (proc_find_any(ev->tid, &target) == t->proc && ev->tid)
            t->tid = ev->tid;
        spin_unlock(&proc_lock);
        if (!t->tid)
            return -EINVAL;
        break;
    case SIGEV_THREAD:
        t->notify = "thread";
        break;
    case SIGEV_SIGNAL:
        break;
    default:
        return -EINVAL;
    }
    if (ev->signo < 1 || ev->signo > NSIG)
        return -EINVAL;
    t->signo = ev->signo;
    return 0;
}

static struct posix_timer *timer_new(struct proc *p, int32_t clock)
{
    struct posix_timer *t = kzalloc(sizeof(*t));

    if (!t)
        return NULL;
    t->user = signal_charge(p); /* a timer counts as the signal that it may queue */
    if (!t->user) {
        kmfree(t);
        return NULL;
    }
    t->proc = p;
    t->clock = clock;
    t->id = p->sig.next_timer_id++;
    list_init(&t->link);
    list_init(&t->signal.link);
    t->signal.embedded = true;
    timer_init(&t->timer, expired, t);
    return t;
}

/* [handlers->lock held] The signal that still waits outlives its timer, in memory of its own. */
static void detach_signal(struct posix_timer *t)
{
    struct queued_signal *copy;

    if (list_empty(&t->signal.link))
        return;
    copy = kmalloc(sizeof(*copy));
    if (copy) {
        copy->info = t->signal.info;
        copy->user = signal_charge(t->proc);
        copy->embedded = false;
        list_add_tail(&t->signal.link, &copy->link);
        t->proc->sig.queued++;
    }
    list_remove(&t->signal.link);
}

/* [list_lock held] */
static void timer_link(struct posix_timer *t)
{
    struct posix_timer **head = chain(t->proc, t->id);

    list_add(&t->proc->sig.posix_timers, &t->link);
    t->proc->sig.timers++;
    t->of_chain = *head;
    *head = t;
}

/* [list_lock held] */
static void timer_unlink(struct posix_timer *t)
{
    struct posix_timer **at = chain(t->proc, t->id);

    while (*at != t)
        at = &(*at)->of_chain;
    *at = t->of_chain;
    list_remove(&t->link);
    t->proc->sig.timers--;
}

/* A signal that waits starts nothing again. */
static void set_interval(struct posix_timer *t, uint64_t interval)
{
    spin_lock(&t->proc->handlers->lock);
    t->interval = interval;
    t->waits = false;
    spin_unlock(&t->proc->handlers->lock);
}

/* [list_lock held] */
static void timer_destroy(struct posix_timer *t)
{
    set_interval(t, 0);
    timer_cancel(&t->timer);
    timer_unlink(t);
    signal_uncharge(t->user);
    spin_lock(&t->proc->handlers->lock);
    detach_signal(t);
    spin_unlock(&t->proc->handlers->lock);
    kmfree(t);
}

int posix_timer_info(int32_t pid, unsigned n, struct posix_timer_info *out)
{
    struct posix_timer *t;
    struct proc *p;
    int err = -ENOENT;

    mutex_lock(&list_lock);
    spin_lock(&proc_lock);
    p = proc_find(pid);
    spin_unlock(&proc_lock); /* who ends deletes his timers first, which takes list_lock */
    if (p && p->state == PROC_ALIVE)
        list_for_each_entry (t, &p->sig.posix_timers, link) {
            if (n-- > 0)
                continue;
            *out = (struct posix_timer_info){.id = t->id,
                                             .signo = t->asked_signo,
                                             .value = t->signal.info.value,
                                             .clock = t->clock,
                                             .tid = t->tid,
                                             .notify = t->notify};
            err = 0;
            break;
        }
    mutex_unlock(&list_lock);
    return err;
}

void posix_timers_delete(struct proc *p)
{
    struct posix_timer *t, *next;

    if (list_empty(&p->sig.posix_timers))
        return;
    mutex_lock(&list_lock);
    list_for_each_entry_safe (t, next, &p->sig.posix_timers, link) {
        timer_destroy(t);
        sched_point();
    }
    mutex_unlock(&list_lock);
}

/* [list_lock held] */
static struct posix_timer *find_timer(int32_t id)
{
    struct proc *p = proc_current();
    struct posix_timer *t = *chain(p, id);

    while (t && (t->proc != p || t->id != id))
        t = t->of_chain;
    return t;
}

/* [list_lock held] */
static long create(int32_t clock, const struct cpu_clock *cpu, const struct user_sigevent *ev,
                   void __user *uid)
{
    struct proc *p = proc_current();
    struct user_sigevent by_default = {.signo = SIGALRM, .notify = SIGEV_SIGNAL};
    struct posix_timer *t;
    int ret;

    if (p->sig.timers >= MAX_TIMERS)
        return -EAGAIN;
    t = timer_new(p, clock);
    if (!t)
        return -EAGAIN;
    t->cpu = *cpu;
    if (!ev) {
        by_default.value = (uint32_t)t->id;
        ev = &by_default;
    }
    ret = set_target(t, ev);
    t->signal.info = (struct siginfo){.code = SI_TIMER, .pid = t->id, .value = ev->value};
    if (!ret && put_user_u32(uid, (uint32_t)t->id))
        ret = -EFAULT;
    if (ret) {
        signal_uncharge(t->user);
        kmfree(t);
    } else {
        timer_link(t);
    }
    return ret;
}

long sys_timer_create(uint32_t clock, void __user *uevent, void __user *uid)
{
    struct user_sigevent ev;
    struct cpu_clock cpu = {0};
    long ret = clock_is_cpu((int32_t)clock) ? cpu_clock_find((int32_t)clock, &cpu)
                                            : clock_can_wait((int32_t)clock);

    if (ret)
        return ret;
    if (uevent && copy_from_user(&ev, uevent, sizeof(ev)))
        return -EFAULT;
    timers_expect(proc_current()->sig.timers + 1);
    mutex_lock(&list_lock);
    ret = create((int32_t)clock, &cpu, uevent ? &ev : NULL, uid);
    mutex_unlock(&list_lock);
    return ret;
}

long sys_timer_delete(uint32_t id)
{
    struct posix_timer *t;

    mutex_lock(&list_lock);
    t = find_timer((int32_t)id);
    if (t)
        timer_destroy(t);
    mutex_unlock(&list_lock);
    return t ? 0 : -EINVAL;
}

long sys_timer_getoverrun(uint32_t id)
{
    struct posix_timer *t;
    long ret = -EINVAL;

    mutex_lock(&list_lock);
    t = find_timer((int32_t)id);
    if (t)
        ret = t->told;
    mutex_unlock(&list_lock);
    return ret;
}

/* ---- Setting ---- */

/* The time of its clock; 0: that is gone. */
static uint64_t now_of(const struct posix_timer *t)
{
    uint64_t now = time_mono_ns();

    if (clock_is_cpu(t->clock) && cpu_clock_now(&t->cpu, &now))
        now = 0;
    return now;
}

static struct timer_setting current_setting(const struct posix_timer *t)
{
    struct timer_setting s = {.interval = t->interval};
    uint64_t now = now_of(t), when = t->timer.when;
    uint32_t skipped;

    if (!t->timer.armed && t->interval)
        when = timer_due_next(&t->timer, t->interval, now, &skipped);
    if (t->timer.armed || t->interval)
        s.value = when > now ? when - now : 1;
    return s;
}

static int start_on_cpu(struct posix_timer *t, uint64_t value, bool absolute)
{
    uint64_t now;

    if (cpu_clock_now(&t->cpu, &now))
        return -ESRCH;
    return cpu_clock_start(&t->cpu, &t->timer, absolute ? value : now + value);
}

/* 0, or -ESRCH: whose clock it is on is gone. */
static int apply(struct posix_timer *t, const struct timer_setting *s, bool absolute)
{
    int err = 0;

    set_interval(t, 0);
    timer_cancel(&t->timer);
    t->timer.wall = false;
    t->overrun = t->told = 0;
    set_interval(t, s->value ? s->interval : 0);
    if (clock_is_cpu(t->clock))
        err = s->value ? start_on_cpu(t, s->value, absolute) : 0;
    else if (s->value && absolute && clock_is_wall(t->clock))
        timer_start_wall(&t->timer, s->value);
    else if (s->value)
        timer_start(&t->timer, absolute ? s->value : time_deadline(s->value));
    return err;
}

static uint32_t timespec_size(bool wide)
{
    return wide ? sizeof(struct timespec64) : sizeof(struct timespec32);
}

static int get_setting(struct timer_setting *s, void __user *uptr, bool wide)
{
    int ret = timespec_get(&s->interval, uptr, wide);

    return ret ? ret : timespec_get(&s->value, (char __user *)uptr + timespec_size(wide), wide);
}

static int put_setting(void __user *uptr, const struct timer_setting *s, bool wide)
{
    int ret = timespec_put(uptr, s->interval, wide);

    return ret ? ret : timespec_put((char __user *)uptr + timespec_size(wide), s->value, wide);
}

static long timer_set(int32_t id, uint32_t flags, void __user *unew, void __user *uold, bool wide)
{
    struct timer_setting new, old;
    struct posix_timer *t;
    int ret;

    if (!unew)
        return -EINVAL;
    ret = get_setting(&new, unew, wide);
    if (ret)
        return ret;
    mutex_lock(&list_lock);
    t = find_timer(id);
    if (t) {
        old = current_setting(t);
        ret = apply(t, &new, flags & TIMER_ABSTIME);
    }
    mutex_unlock(&list_lock);
    if (!t || ret)
        return t ? ret : -EINVAL;
    return uold ? put_setting(uold, &old, wide) : 0;
}

static long timer_get(int32_t id, void __user *uptr, bool wide)
{
    struct timer_setting s;
    struct posix_timer *t;

    mutex_lock(&list_lock);
    t = find_timer(id);
    if (t)
        s = current_setting(t);
    mutex_unlock(&list_lock);
    return t ? put_setting(uptr, &s, wide) : -EINVAL;
}

long sys_timer_settime(uint32_t id, uint32_t flags, void __user *unew, void __user *uold)
{
    return timer_set((int32_t)id, flags, unew, uold, false);
}

long sys_timer_settime64(uint32_t id, uint32_t flags, void __user *unew, void __user *uold)
{
    return timer_set((int32_t)id, flags, unew, uold, true);
}

long sys_timer_gettime(uint32_t id, void __user *uptr)
{
    return timer_get((int32_t)id, uptr, false);
}

long sys_timer_gettime64(uint32_t id, void __user *uptr)
{
    return timer_get((int32_t)id, uptr, true);
}
