/*
 * The process table: processes and threads by id, their birth and their memory.
 *
 * A process is linked (all_procs, hash, its parent's children) from fork until it was waited for; a
 * thread from its creation until its exit. Ids are shared by both: a process's pid is the tid of
 * its first thread. An id is not given out again while it names a thread, a process, a group or a
 * session.
 */
#include "kernel/thread/proc.h"
#include "kernel/thread/rare.h"
#include "arch/thread.h"
#include "kernel/base/log.h"
#include "kernel/ptrace/ptrace.h"
#include "kernel/machine/random.h"
#include "kernel/time/time.h"
#include "libc/errno.h"
#include "libc/string.h"

#define PID_FIRST  300  /* where a second round starts, as on Linux */
#define HASH_SIZE  256  /* a power of two */
#define WALK_STEP  32   /* processes that are signalled, or the like, in one go */
#define STACK_JUNK 0xc5 /* in new stacks of a debug kernel */

struct spinlock proc_lock = SPINLOCK_INIT("proc", LOCK_RANK_PROC);
struct list all_procs = LIST_INIT(all_procs);
struct proc *init_proc;
struct proc kernel_proc;
struct thread boot_thread;

static struct list proc_hash[HASH_SIZE];   /* [proc_lock] */
static struct list thread_hash[HASH_SIZE]; /* [proc_lock] */
static uint32_t nr_threads;                /* [proc_lock] linked ones */
static uint32_t nr_zombies;                /* [proc_lock] linked processes without a thread */
static uint32_t nr_dead_tracees;           /* [proc_lock] ended, and their tracers not told */
static int32_t last_pid;                   /* [proc_lock] */
static bool pids_wrapped;                  /* [proc_lock] from now on an id may be in use */

uint32_t proc_pid_max = PID_MAX;

_Static_assert(offsetof(struct thread, arch) == 0, "thread_current()");
_Static_assert(sizeof(struct thread) > 512 && sizeof(struct thread) <= 1024,
               "aligned for fpu_area");

struct proc *proc_find(int32_t pid)
{
    struct proc *p;

    list_for_each_entry (p, &proc_hash[pid & (HASH_SIZE - 1)], hash_link) {
        if (p->pid == pid)
            return p;
    }
    return NULL;
}

struct thread *thread_find(int32_t tid)
{
    struct thread *t;

    list_for_each_entry (t, &thread_hash[tid & (HASH_SIZE - 1)], hash_link) {
        if (t->tid == tid)
            return t;
    }
    return NULL;
}

struct proc *proc_find_any(int32_t tid, struct thread **t)
{
    *t = tid ? thread_find(tid) : thread_current();
    return *t ? (*t)->proc : proc_find(tid);
}

struct proc *proc_oldest(void)
{
    return list_empty(&all_procs) ? NULL : list_first_entry(&all_procs, struct proc, all_link);
}

/* [proc_lock held] */
static struct proc *next_of(const struct proc *p)
{
    return p->all_link.next == &all_procs ? NULL
                                          : list_entry(p->all_link.next, struct proc, all_link);
}

/* [proc_lock held] The first that is younger than the one at that place, which may be gone. */
static struct proc *younger_than(const struct proc_place *at)
{
    const struct proc *same = proc_find(at->pid);
    struct proc *p;

    if (same && same->serial == at->serial)
        return next_of(same);
    list_for_each_entry (p, &all_procs, all_link)
        if (p->serial > at->serial)
            return p;
    return NULL;
}

struct proc *proc_after(struct proc_place *at)
{
    struct proc *p = younger_than(at);

    if (p)
        *at = (struct proc_place){p->pid, p->serial};
    return p;
}

struct proc *proc_walk_on(struct proc *p, uint32_t *steps)
{
    struct proc_place at = {p->pid, p->serial};

    if (++*steps % WALK_STEP)
        return next_of(p);
    spin_unlock(&proc_lock);
    sched_point();
    spin_lock(&proc_lock);
    return fatal_signal_pending() ? NULL : proc_after(&at);
}

bool proc_lost_first(const struct proc *p)
{
    const struct thread *t = thread_find(p->pid);

    return !t || t->proc != p;
}

int32_t proc_last_pid(void)
{
    return last_pid;
}

uint32_t proc_count_threads(void)
{
    return nr_threads;
}

uint32_t proc_count_tasks(void)
{
    return nr_threads + nr_zombies;
}

/* [proc_lock held] Whether p has yet to be told of the end of that thread. */
static bool names_dead_tracee(const struct proc *p, int32_t tid)
{
    const struct tracee *x;

    list_for_each_entry (x, &p->tracees, link)
        if (!x->thread && x->tid == tid)
            return true;
    return false;
}

/* [proc_lock held] */
static bool pid_in_use(int32_t pid)
{
    struct proc *p;

    if (thread_find(pid) || proc_find(pid) || proc_names_group(pid))
        return true;
    if (!nr_dead_tracees)
        return false;
    list_for_each_entry (p, &all_procs, all_link)
        if (names_dead_tracee(p, pid))
            return true;
    return false;
}

void proc_count_dead_tracee(struct proc *p, int n)
{
    nr_dead_tracees += (uint32_t)n;
    p->dead_tracees += (uint32_t)n;
    nr_zombies += (uint32_t)n;
}

void proc_set_last_pid(int32_t pid)
{
    spin_lock(&proc_lock);
    last_pid = pid;
    pids_wrapped = true; /* what comes next may be in use */
    spin_unlock(&proc_lock);
}

int pid_alloc(void)
{
    if (proc_count_tasks() >= proc_thread_limit())
        return -EAGAIN;
    for (uint32_t tries = 0; tries < PID_MAX; tries++) {
        if (++last_pid >= (int32_t)proc_pid_max) {
            last_pid = PID_FIRST;
            pids_wrapped = true;
        }
        if (!pids_wrapped || !pid_in_use(last_pid))
            return last_pid;
    }
    return -EAGAIN;
}

int pid_claim(int32_t pid)
{
    if (pid < 1 || pid >= (int32_t)proc_pid_max)
        return -EINVAL;
    if (proc_count_tasks() >= proc_thread_limit())
        return -EAGAIN;
    return pid_in_use(pid) ? -EEXIST : pid;
}

void proc_link(struct proc *p, struct proc *parent)
{
    static uint32_t last_serial; /* [proc_lock] */

    p->parent = parent;
    p->serial = ++last_serial;
    list_add_tail(&parent->children, &p->sibling);
    list_add_tail(&all_procs, &p->all_link);
    list_add(&proc_hash[p->pid & (HASH_SIZE - 1)], &p->hash_link);
    proc_set_group(p, p->pgid);
    proc_set_session(p, p->sid);
}

void proc_unlink(struct proc *p)
{
    if (p->handle)
        proc_handle_detach(p);
    KASSERT(p->nthreads == 0 && p->dead_tracees == 0);
    if (p->trace)
        tracee_free(p->trace);
    nr_zombies--;
    list_remove(&p->sibling);
    list_remove(&p->all_link);
    list_remove(&p->hash_link);
    proc_leave_groups(p);
}

/* Whoever walks the threads of a process to signal them holds only the handlers' lock. */
void thread_link(struct thread *t)
{
    struct signal_handlers *h = t->proc->handlers;

    spin_lock(&h->lock);
    list_add_tail(&t->proc->threads, &t->proc_link);
    t->proc->nthreads++;
    spin_unlock(&h->lock);
    list_add(&thread_hash[t->tid & (HASH_SIZE - 1)], &t->hash_link);
    nr_threads++;
}

void thread_unlink(struct thread *t)
{
    struct signal_handlers *h = t->proc->handlers;

    spin_lock(&h->lock);
    list_remove(&t->proc_link);
    t->proc->nthreads--;
    spin_unlock(&h->lock);
    list_remove(&t->hash_link);
    nr_threads--;
    nr_zombies += t->proc->nthreads == 0;
}

void thread_set_tid(struct thread *t, int32_t tid)
{
    list_remove(&t->hash_link);
    t->tid = tid;
    list_add(&thread_hash[tid & (HASH_SIZE - 1)], &t->hash_link);
}

static void proc_init_lists(struct proc *p)
{
    list_init(&p->threads);
    list_init(&p->children);
    list_init(&p->tracees);
    list_init(&p->sibling);
    list_init(&p->all_link);
    list_init(&p->hash_link);
    list_init(&p->group_link);
    list_init(&p->session_link);
    list_init(&p->sem_undos);
    waitq_init(&p->child_exit);
}

struct proc *proc_alloc(struct proc *like)
{
    struct proc *p = kzalloc(sizeof(*p));

    if (!p)
        return NULL;
    proc_init_lists(p);
    memcpy(p->comm, like->comm, COMM_LEN);
    p->cred = like->cred;
    groups_get(p->cred.groups);
    memcpy(p->rlimits, like->rlimits, sizeof(p->rlimits));
    p->oom_score_adj = like->oom_score_adj;
    p->oom_score_adj_min = like->oom_score_adj_min;
    p->dumpable = like->dumpable;
    p->core_filter = like->core_filter;
    p->no_new_privs = like->no_new_privs;
    p->thp_disabled = like->thp_disabled;
    p->personality = like->personality;
    p->membarriers = like->membarriers;
    p->login_uid = like->login_uid;
    p->login_session = like->login_session;
    p->exit_signal = SIGCHLD;
    spin_init(&p->files_lock, "files of", LOCK_RANK_FILES_OF);
    p->start_ns = time_mono_ns();
    return p;
}

void proc_free(struct proc *p)
{
    signal_free_proc(p);
    groups_put(p->cred.groups);
    kmfree(p);
}

static uint32_t stack_alloc(void)
{
    uint32_t top = kstack_reuse();
    void *pages[KSTACK_PAGES] = {NULL};
    unsigned n = 0;

    while (!top && n < KSTACK_PAGES && (pages[n] = kalloc()))
        n++;
    if (n == KSTACK_PAGES)
        top = kstack_make(pages);
    while (!top && n)
        kfree(pages[--n]);
#ifdef CONFIG_DEBUG
    if (top)
        memset((void *)(top - KSTACK_SIZE), STACK_JUNK, KSTACK_SIZE);
#endif
    return top;
}

static void stack_free(uint32_t top)
{
    void *pages[KSTACK_PAGES];

    if (kstack_put(top, pages))
        for (unsigned i = 0; i < KSTACK_PAGES; i++)
            kfree(pages[i]);
}

void thread_drop_cached_stacks(void)
{
    void *pages[KSTACK_PAGES];

    while (kstack_drop_cached(pages))
        for (unsigned i = 0; i < KSTACK_PAGES; i++)
            kfree(pages[i]);
}

struct thread *thread_alloc(struct proc *p, const struct thread *creator)
{
    struct thread *t = kmalloc(sizeof(*t));

    if (!t)
        return NULL;
    memset(t, 0, offsetof(struct thread, fpu_area));
    t->arch.fpu_area = t->fpu_area;
    t->arch.stack_guard = random_guard();
    t->arch.kstack_top = stack_alloc();
    if (!t->arch.kstack_top) {
        kmfree(t);
        return NULL;
    }
    t->proc = p;
    t->state = THREAD_BLOCKED;
    t->slice = 1;
    t->cpus = creator ? creator->cpus : UINT32_MAX;
    if (creator) {
        t->sched = sched_fork_attr(&creator->sched);
        t->io_priority = creator->io_priority;
        t->mce_policy = creator->mce_policy;
        t->io_flusher = creator->io_flusher;
        t->timer_slack = t->default_slack = creator->timer_slack;
    }
    list_init(&t->run_link);
    list_init(&t->donors);
    list_init(&t->proc_link);
    list_init(&t->hash_link);
    signal_init_thread(t, creator);
    return t;
}

void thread_free(struct thread *t)
{
    fpu_drop(&t->arch);
    rare_drop(t);
    signal_free_thread(t);
    stack_free(t->arch.kstack_top);
    kmfree(t);
}

void thread_bury(struct thread *t)
{
    stack_free(t->arch.kstack_top);
    kmfree(t);
}

/* ---- Kernel threads ---- */

struct kthread_start {
    void (*fn)(void *);
    void *arg;
};

static void kthread_main(void *arg)
{
    struct kthread_start start = *(struct kthread_start *)arg;

    kthread_first_run();
    kmfree(arg);
    start.fn(start.arg);
    panic("a kernel thread came to its end");
}

struct thread *kthread_create(const char *name, void (*fn)(void *), void *arg)
{
    struct kthread_start *start = kmalloc(sizeof(*start));
    struct proc *p = proc_alloc(&kernel_proc);
    struct thread *t = NULL;
    int pid;

    if (!start || !p || signal_fork(&kernel_proc, p, false) < 0)
        goto no_memory;
    t = thread_alloc(p, NULL);
    if (!t)
        goto no_memory;
    *start = (struct kthread_start){fn, arg};
    strlcpy(p->comm, name, COMM_LEN);
    arch_thread_init_kernel(&t->arch, kthread_main, start);

    spin_lock(&proc_lock);
    pid = pid_alloc();
    if (pid > 0) {
        p->pid = t->tid = pid;
        proc_link(p, &kernel_proc);
        thread_link(t);
    }
    spin_unlock(&proc_lock);
    if (pid < 0)
        goto no_memory;
    sched_start(t);
    return t;

no_memory:
    if (t)
        thread_free(t);
    if (p)
        proc_free(p);
    kmfree(start);
    return NULL;
}

/* ---- Accounts ---- */

/* a * b / (b + c) without overflow for any times in reach: the part of a that falls to b. */
static uint64_t scale(uint64_t a, uint32_t b, uint32_t c)
{
    uint32_t total = b + c;

    return total ? a / total * b + a % total * b / total : 0;
}

static struct spinlock told_lock = SPINLOCK_INIT("told times", LOCK_RANK_LEAF);

/* What ran is known to the nanosecond; how it divides is known from the ticks. Without any tick in
 * the kernel it is all the program's. A new tick moves the share of all that ran before, too, but
 * neither part is ever told as less than it was. */
void thread_times(struct thread *t, uint64_t *user_ns, uint64_t *system_ns)
{
    uint64_t run, waited;

    sched_times(t, &run, &waited);
    spin_lock(&told_lock);
    if (run > t->usage.user_ns + t->usage.system_ns) {
        uint64_t system = scale(run, t->system_ticks, t->user_ticks);

        if (system < t->usage.system_ns)
            system = t->usage.system_ns;
        if (system > run - t->usage.user_ns)
            system = run - t->usage.user_ns;
        t->usage.system_ns = system;
        t->usage.user_ns = run - system;
    }
    *user_ns = t->usage.user_ns;
    *system_ns = t->usage.system_ns;
    spin_unlock(&told_lock);
}

void thread_add_usage(struct rusage_counts *sum, struct thread *t)
{
    uint64_t user, system;

    thread_times(t, &user, &system);
    sum->user_ns += user;
    sum->system_ns += system;
    sum->minor_faults += t->usage.minor_faults;
    sum->major_faults += t->usage.major_faults;
    sum->voluntary += t->usage.voluntary;
    sum->involuntary += t->usage.involuntary;
    sum->read_calls += t->usage.read_calls;
    sum->write_calls += t->usage.write_calls;
    sum->read_bytes += t->usage.read_bytes;
    sum->written_bytes += t->usage.written_bytes;
}

void usage_add(struct rusage_counts *sum, const struct rusage_counts *more)
{
    sum->user_ns += more->user_ns;
    sum->system_ns += more->system_ns;
    sum->minor_faults += more->minor_faults;
    sum->major_faults += more->major_faults;
    sum->voluntary += more->voluntary;
    sum->involuntary += more->involuntary;
    sum->read_calls += more->read_calls;
    sum->write_calls += more->write_calls;
    sum->read_bytes += more->read_bytes;
    sum->written_bytes += more->written_bytes;
    if (more->max_resident > sum->max_resident)
        sum->max_resident = more->max_resident;
}

/* [proc_lock held, or p is current] */
void proc_usage(struct proc *p, struct rusage_counts *out)
{
    struct thread *t;

    *out = p->usage;
    if (p == proc_current())
        sched_charge_current();
    list_for_each_entry (t, &p->threads, proc_link)
        thread_add_usage(out, t);
}

struct vm_space *proc_get_space(struct proc *p)
{
    struct vm_space *s;

    spin_lock(&proc_lock);
    s = p->space;
    if (s)
        vm_space_ref(s);
    spin_unlock(&proc_lock);
    return s;
}

/* The boot thread becomes the first thread of process 0. */
void proc_init(void)
{
    struct proc *p = &kernel_proc;

    for (int i = 0; i < HASH_SIZE; i++) {
        list_init(&proc_hash[i]);
        list_init(&thread_hash[i]);
    }
    proc_groups_init();
    proc_init_lists(p);
    p->parent = p;
    p->exit_signal = SIGCHLD;
    p->login_uid = p->login_session = UINT32_MAX;
    p->cred.permitted = p->cred.effective = p->cred.bounding = CAPS_ALL;
    strlcpy(p->comm, "swapper", COMM_LEN);
    for (int i = 0; i < RLIM_NLIMITS; i++)
        p->rlimits[i] = (struct rlimit32){UINT32_MAX, UINT32_MAX};
    p->rlimits[RLIMIT_STACK].cur = 8u << 20;
    p->rlimits[RLIMIT_CORE].cur = 0;
    p->core_filter = CORE_FILTER_DEFAULT;
    p->rlimits[RLIMIT_NOFILE] = (struct rlimit32){1024, 4096};
    p->rlimits[RLIMIT_MEMLOCK] = (struct rlimit32){8u << 20, 8u << 20};
    proc_settle_thread_limit(p);
    p->rlimits[RLIMIT_MSGQUEUE] = (struct rlimit32){819200, 819200};
    p->rlimits[RLIMIT_NICE] = (struct rlimit32){0, 0};
    p->rlimits[RLIMIT_RTPRIO] = (struct rlimit32){0, 0};
    boot_thread.proc = p;
    list_init(&boot_thread.proc_link);
    signal_init_proc(p);
    signal_init_thread(&boot_thread, NULL);
}
