/*
 * /proc/PID/stat and status. What they tell is copied under proc_lock and written after it.
 */
#include "fs/vfs/file.h"
#include "kernel/cred/user.h"
#include "kernel/ptrace/ptrace.h"
#include "kernel/seccomp/seccomp.h"
#include "fs/proc/procfs.h"
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/see.h"
#include "kernel/thread/runqueue.h"

#define NSEC_PER_TICK_USER (NSEC_PER_SEC / HZ)
#define PF_KTHREAD         0x00200000u
#define PF_RANDOMIZE       0x00400000u
#define PF_FORKNOEXEC      0x00000040u
#define MASK31             0x7fffffffu
#define KIB(pages)         ((pages) * (PAGE_SIZE / 1024))

struct signal_sets {
    sigset64_t pending, shared, blocked, ignored, caught;
};

struct snapshot {
    int32_t pid, tgid, ppid, pgid, sid, tty_pgrp;
    uint32_t tty_dev, threads, flags;
    int umask;      /* -1: gone */
    int32_t tracer; /* 0: none */
    char state, comm[COMM_LEN];
    bool no_new_privs, dumping;
    uint32_t seccomp, filters;
    struct sched_attr sched;
    uint32_t cpu, cpus; /* where it runs or ran last, a number; where it may, a bit each */
    uint8_t realtime;   /* the priority that it runs with, lent perhaps; 0: none */
    int exit_signal, exit_status;
    uint64_t start_ns;
    struct rusage_counts usage, child_usage;
    struct signal_sets signals;
    struct rlimit32 rss_limit, pending_limit;
    vaddr_t arg_start, arg_end, env_start, env_end;
    struct program_marks marks;
    struct cred cred;
    struct vm_space *space; /* a reference, or NULL */
    bool places;            /* whoever asks may see where things lie in it */
};

static char state_letter(const struct thread *t)
{
    if (!t)
        return 'Z';
    switch (t->state) {
    case THREAD_RUNNABLE:
        return 'R';
    case THREAD_SLEEPING:
        return 'S';
    case THREAD_BLOCKED:
        return 'D';
    case THREAD_STOPPED:
        return 'T';
    case THREAD_TRACED:
        return 't';
    default:
        return 'X';
    }
}

/* [proc_lock held] */
static void take_signals(struct signal_sets *s, const struct proc *p, const struct thread *t)
{
    struct signal_handlers *h = p->handlers;

    *s = (struct signal_sets){0};
    if (!h)
        return;
    spin_lock(&h->lock);
    s->shared = p->sig.queue.pending;
    if (t) {
        s->pending = t->sig.queue.pending;
        s->blocked = t->sig.mask;
    }
    for (int n = 1; n <= NSIG; n++) {
        if (h->action[n - 1].handler == 1)
            s->ignored |= SIGMASK(n);
        else if (h->action[n - 1].handler != 0)
            s->caught |= SIGMASK(n);
    }
    spin_unlock(&h->lock);
}

/* [proc_lock held] */
static void take_usage(struct snapshot *s, const struct target *who, struct proc *p,
                       struct thread *t)
{
    s->child_usage = p->child_usage;
    if (who->tid && t) {
        s->usage = (struct rusage_counts){0};
        thread_add_usage(&s->usage, t);
    } else {
        proc_usage(p, &s->usage);
    }
}

/* [proc_lock held] */
static void take_identity(struct snapshot *s, const struct target *who, struct proc *p)
{
    s->pid = target_id(who);
    s->tgid = p->pid;
    s->ppid = p->parent ? p->parent->pid : 0;
    s->pgid = p->pgid;
    s->sid = p->sid;
    s->threads = p->nthreads + proc_lost_first(p);
    memcpy(s->comm, p->comm, COMM_LEN);
    s->comm[COMM_LEN - 1] = '\0';
    s->no_new_privs = p->no_new_privs;
    s->dumping = p->sig.dumper != NULL;
    s->cred = p->cred;
    groups_get(s->cred.groups);
    s->exit_signal = p->exit_signal;
    s->exit_status = p->exit_status;
    s->start_ns = p->start_ns;
    s->arg_start = p->arg_start;
    s->arg_end = p->arg_end;
    s->env_start = p->env_start;
    s->env_end = p->env_end;
    s->marks = p->marks;
    s->rss_limit = p->rlimits[RLIMIT_RSS];
    s->pending_limit = p->rlimits[RLIMIT_SIGPENDING];
}

/* A snapshot (free with snapshot_free), or NULL with *err. */
static struct snapshot *snapshot_take(const struct target *who, int *err)
{
    struct snapshot *s = kzalloc(sizeof(*s));
    struct thread *t;
    struct proc *p;

    *err = -ENOMEM;
    if (!s)
        return NULL;
    *err = -ESRCH;
    p = target_lock(who);
    if (!p) {
        kmfree(s);
        return NULL;
    }
    t = target_thread(who, p);
    take_identity(s, who, p);
    s->sched = t ? t->sched : p->first_sched;
    s->realtime = t ? runqueue_priority(t) : s->sched.priority;
    s->cpu = t && t->cpu ? t->cpu->id : 0;
    s->cpus = sched_cpus(t);
    s->umask = t && p->fs ? (int)p->fs->umask : -1;
    take_usage(s, who, p, t);
    take_signals(&s->signals, p, t);
    s->state = state_letter(t);
    s->seccomp = t ? t->seccomp : SECCOMP_NONE;
    s->filters = t ? seccomp_count(t) : 0;
    s->tracer = t ? ptrace_tracer_pid(t) : 0;
    s->space = t ? p->space : NULL;
    s->places = proc_may_inspect(p, INSPECT_FS);
    s->flags = p->space || !t ? PF_RANDOMIZE : PF_KTHREAD;
    if (!p->did_exec)
        s->flags |= PF_FORKNOEXEC;
    if (s->space)
        vm_space_ref(s->space);
    session_terminal(p, &s->tty_dev, &s->tty_pgrp);
    spin_unlock(&proc_lock);
    *err = 0;
    return s;
}

static void snapshot_free(struct snapshot *s)
{
    if (s->space)
        vm_space_unref(s->space);
    groups_put(s->cred.groups);
    kmfree(s);
}

static unsigned long long ticks(uint64_t ns)
{
    return ns / NSEC_PER_TICK_USER;
}

void code_range(struct vm_space *space, vaddr_t *start, vaddr_t *end)
{
    struct vm_area_info a;
    vaddr_t at = 0;

    *start = *end = 0;
    while (vm_next_area(space, at, &a)) {
        if (a.prot & VM_PROT_EXEC) {
            *start = a.start;
            *end = a.end;
            return;
        }
        at = a.end;
        sched_point();
    }
}

static int shown_priority(const struct snapshot *s)
{
    return s->realtime ? -1 - s->realtime : 20 + s->sched.nice;
}

static void stat_times(struct text *t, const struct snapshot *s)
{
    text_printf(t, " %u %u %u %u %llu %llu %lld %lld %d %d %u 0 %llu", s->usage.minor_faults,
                s->child_usage.minor_faults, s->usage.major_faults, s->child_usage.major_faults,
                ticks(s->usage.user_ns), ticks(s->usage.system_ns),
                (long long)ticks(s->child_usage.user_ns),
                (long long)ticks(s->child_usage.system_ns), shown_priority(s), s->sched.nice,
                s->threads, ticks(s->start_ns));
}

/* Shows nothing by which an address could be guessed, as Linux: 1 for where the code is. */
static void hide_places(struct snapshot *s, struct vm_space_stats *m)
{
    uint32_t code = s->space ? 1 : 0;

    s->marks = (struct program_marks){.start_code = code, .end_code = code};
    m->brk_start = 0;
    s->arg_start = s->arg_end = s->env_start = s->env_end = 0;
    if (!s->places)
        s->exit_status = 0;
}

int show_stat(struct text *t, const struct target *who)
{
    int err;
    struct snapshot *s = snapshot_take(who, &err);
    const struct signal_sets *g;
    struct vm_space_stats m = {0};
    const struct program_marks *at;

    if (!s)
        return err;
    g = &s->signals;
    at = &s->marks;
    if (s->space)
        vm_space_stats(s->space, &m);
    if (!s->space || !s->places)
        hide_places(s, &m);
    text_printf(t, "%d (%s) %c %d %d %d %u %d %u", s->pid, s->comm, s->state, s->ppid, s->pgid,
                s->sid, s->tty_dev, s->tty_pgrp, s->flags);
    stat_times(t, s);
    text_printf(t, " %llu %u %u %u %u %u 0 0 %u %u %u %u", (unsigned long long)m.size * PAGE_SIZE,
                m.resident, s->rss_limit.cur, at->start_code, at->end_code, at->start_stack,
                (uint32_t)(g->pending | g->shared) & MASK31, (uint32_t)g->blocked & MASK31,
                (uint32_t)g->ignored & MASK31, (uint32_t)g->caught & MASK31);
    text_printf(t, " %d 0 0 %d %u %u %u 0 0 0 %u %u %u %u %u %u %u %d\n", s->state != 'R',
                s->exit_signal, s->cpu, s->sched.priority, s->sched.policy, at->start_data,
                at->end_data, m.brk_start, s->arg_start, s->arg_end, s->env_start, s->env_end,
                s->exit_status);
    snapshot_free(s);
    return 0;
}

static const char *state_name(char letter)
{
    switch (letter) {
    case 'R':
        return "running";
    case 'S':
        return "sleeping";
    case 'D':
        return "disk sleep";
    case 'T':
        return "stopped";
    case 't':
        return "tracing stop";
    case 'Z':
        return "zombie";
    default:
        return "dead";
    }
}

static void status_ids(struct text *t, const struct snapshot *s)
{
    const struct cred *c = &s->cred;

    text_printf(t, "Name:\t");
    text_escape(t, s->comm, "\n");
    if (s->umask >= 0)
        text_printf(t, "\nUmask:\t%04o", (unsigned)s->umask);
    text_printf(t, "\nState:\t%c (%s)\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\n", s->state,
                state_name(s->state), s->tgid, s->pid, s->ppid);
    text_printf(t, "TracerPid:\t%d\nUid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n", s->tracer,
                c->uid, c->euid, c->suid, c->fsuid, c->gid, c->egid, c->sgid, c->fsgid);
    text_printf(t, "FDSize:\t%u\nGroups:\t", s->state == 'Z' ? 0 : 64);
    for (uint32_t i = 0; c->groups && i < c->groups->count; i++)
        text_printf(t, "%u ", *group_at(c->groups, i));
    text_printf(t, "\nNStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\n", s->tgid, s->pid, s->pgid,
                s->sid);
}

/* Resident pages of shared memory: only shared areas can have them. */
static uint32_t resident_shmem(struct vm_space *space)
{
    struct vm_range_stats r = {0};
    struct vm_area_info a;

    for (vaddr_t at = 0; vm_next_area(space, at, &a); at = a.end) {
        if (a.flags & VM_SHARED)
            vm_range_stats(space, a.start, a.end, &r);
        sched_point();
    }
    return r.shmem;
}

static void status_memory(struct text *t, const struct snapshot *s)
{
    uint32_t shmem = resident_shmem(s->space), exe;
    vaddr_t code, code_end;
    struct vm_space_stats m;

    vm_space_stats(s->space, &m);
    if (shmem > m.resident_file) /* counted at different moments */
        shmem = m.resident_file;
    code_range(s->space, &code, &code_end);
    exe = (code_end - code) / PAGE_SIZE;
    text_printf(t,
                "VmPeak:\t%8u kB\nVmSize:\t%8u kB\nVmLck:\t%8u kB\nVmPin:\t%8u kB\n"
                "VmHWM:\t%8u kB\nVmRSS:\t%8u kB\n",
                KIB(m.peak_size), KIB(m.size), KIB(m.locked), 0, KIB(m.peak_resident),
                KIB(m.resident));
    text_printf(t,
                "RssAnon:\t%8u kB\nRssFile:\t%8u kB\nRssShmem:\t%8u kB\n"
                "VmData:\t%8u kB\nVmStk:\t%8u kB\nVmExe:\t%8u kB\nVmLib:\t%8u kB\n",
                KIB(m.resident - m.resident_file), KIB(m.resident_file - shmem), KIB(shmem),
                KIB(m.data), KIB(m.stack), KIB(exe), KIB(m.text > exe ? m.text - exe : 0));
    text_printf(t, "VmPTE:\t%8u kB\nVmSwap:\t%8u kB\nCoreDumping:\t%d\nTHP_enabled:\t0\n",
                KIB(vm_space_table_frames(s->space)), KIB(vm_space_swapped(s->space)), s->dumping);
}

/* How many of the signals that do not queue are in the set. */
static unsigned standard_signals(uint64_t set)
{
    uint32_t bits = (uint32_t)set & 0x7fffffff;
    unsigned n = 0;

    for (; bits; bits &= bits - 1)
        n++;
    return n;
}

/* Linux counts as waiting what waits for any process of the user; of what does not queue, and is
 * not charged here, this process's alone is counted. */
static void status_signals(struct text *t, const struct snapshot *s)
{
    const struct signal_sets *g = &s->signals;
    unsigned waiting = user_counted(s->cred.uid, USER_SIGNALS) + standard_signals(g->pending) +
                       standard_signals(g->shared);

    text_printf(t, "Threads:\t%u\nSigQ:\t%u/%u\n", s->threads, waiting, s->pending_limit.cur);
    text_printf(t, "SigPnd:\t%016llx\nShdPnd:\t%016llx\nSigBlk:\t%016llx\n",
                (unsigned long long)g->pending, (unsigned long long)g->shared,
                (unsigned long long)g->blocked);
    text_printf(t, "SigIgn:\t%016llx\nSigCgt:\t%016llx\n", (unsigned long long)g->ignored,
                (unsigned long long)g->caught);
}

/* "0-2,5" */
static void cpu_list(struct text *t, uint32_t cpus)
{
    for (unsigned from = 0, to; cpus >> from; from = to) {
        to = from;
        while (cpus >> to & 1u)
            to++;
        if (to == from) {
            to++;
            continue;
        }
        text_printf(t, to - from > 1 ? "%u-%u" : "%u", from, to - 1);
        if (cpus >> to)
            text_printf(t, ",");
    }
}

static void status_rest(struct text *t, const struct snapshot *s)
{
    const struct cred *c = &s->cred;

    text_printf(t, "CapInh:\t%016llx\nCapPrm:\t%016llx\nCapEff:\t%016llx\n", c->inheritable,
                c->permitted, c->effective);
    text_printf(t, "CapBnd:\t%016llx\nCapAmb:\t%016llx\n", c->bounding, c->ambient);
    text_printf(t, "NoNewPrivs:\t%d\nSeccomp:\t%u\nSeccomp_filters:\t%u\n", s->no_new_privs,
                (unsigned)s->seccomp, (unsigned)s->filters);
    text_printf(t, "Cpus_allowed:\t%x\nCpus_allowed_list:\t", (unsigned)s->cpus);
    cpu_list(t, s->cpus);
    text_printf(t, "\nMems_allowed:\t1\nMems_allowed_list:\t0\n");
    text_printf(t, "voluntary_ctxt_switches:\t%u\nnonvoluntary_ctxt_switches:\t%u\n",
                s->usage.voluntary, s->usage.involuntary);
}

int show_status(struct text *t, const struct target *who)
{
    int err;
    struct snapshot *s = snapshot_take(who, &err);

    if (!s)
        return err;
    status_ids(t, s);
    if (s->space)
        status_memory(t, s);
    status_signals(t, s);
    status_rest(t, s);
    snapshot_free(s);
    return 0;
}
