/*
 * Processes and threads. A process owns what its threads share; a thread is what the scheduler
 * runs. Every process has at least one thread until it is a zombie.
 */
#ifndef KERNEL_PROC_H
#define KERNEL_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include "arch/lock.h"
#include "arch/thread.h"
#include "arch/trap.h"
#include "kernel/cred/cred.h"
#include "kernel/thread/sched.h"
#include "kernel/thread/rlimit.h"
#include "kernel/signal/signal.h"
#include "kernel/time/time.h"
#include "libc/list.h"
#include "mm/vm.h"

struct files;      /* fs/vfs/file.h: the descriptor table */
struct fs_context; /* fs/vfs/file.h: cwd, root, umask */
struct file;
struct futex_waiter;
struct tty;
struct tracee; /* kernel/ptrace/ptrace.h */

struct rusage_counts {
    uint64_t user_ns, system_ns;
    uint32_t minor_faults, major_faults;
    uint32_t voluntary, involuntary; /* context switches */
    uint32_t max_resident;           /* pages */
    uint32_t read_calls, write_calls;
    uint64_t read_bytes, written_bytes;
};

#define COMM_LEN 16

struct thread {
    struct arch_thread arch; /* first: thread_current() */
    struct signal_state sig; /* mask and what is pending for this thread */

    enum thread_state state; /* [sched_lock] */
    struct list run_link;    /* [sched_lock] */
    bool on_cpu;             /* [sched_lock] running on some CPU */
    uint32_t slice;          /* [sched_lock] ticks left */
    struct runqueue *queue;  /* [sched_lock] where it waits, or did; NULL: among real-time ones */
    uint64_t waits_since;    /* [sched_lock] for a CPU, in cycles */
    uint64_t waited;         /* [sched_lock] for a CPU before, in ns; 0 without a TSC */

    int32_t tid;
    struct proc *proc;
    struct list proc_link;        /* [proc_lock] in proc->threads */
    struct list hash_link;        /* [proc_lock] all threads by tid */
    void __user *clear_child_tid; /* set_tid_address, or NULL */
    void __user *set_child_tid;   /* where to store the tid on the first run, or NULL */

    struct sched_attr sched;             /* [sched_lock] */
    uint32_t timer_slack, default_slack; /* [own] ns, prctl; timers here need none */
    uint32_t rw_flags;                   /* [own] O_*: of the preadv2 or pwritev2 that it is in */
    uint8_t mce_policy;   /* [own] prctl: PR_MCE_KILL; nobody has such errors to tell of */
    bool io_flusher;      /* [own] prctl; nothing here waits for such threads */
    uint16_t io_priority; /* [proc_lock] ioprio_set: class and level; 0: as the nice value has it */
    uint8_t inherited;    /* [sched_lock] real-time priority lent by donors, or 0 */
    bool futex_released;  /* [futex_lock] it dies: nobody may wait for it any more */
    bool stalled;         /* own CPU only: it waits for memory, stall.h */
    bool exiting;         /* [own] nobody's tracer any more */
    struct list donors;   /* [futex_lock] futex_waiter.donor_link: who waits for it */
    struct futex_waiter *waits_in; /* [futex_lock] where it is a donor itself, or NULL */
    struct mutex *wanted;          /* [own] the sleep lock that it waits for */
#ifdef CONFIG_DEBUG
#define MUTEXES_HELD 12
    struct mutex *held[MUTEXES_HELD]; /* [own] sleep locks */
#endif
    uint64_t reported_ran_at;   /* [proc_lock] the watchdog told of the sleep that began then */
    struct rusage_counts usage; /* own CPU and owner's thread only */
    unsigned writing_out;       /* own CPU only; mm/port.h */
    struct vfork_wait *vfork;   /* [proc_lock] the vfork parent that waits, until exec or exit */
    struct seccomp_filter *filters; /* [own; others, proc_lock] the newest, or NULL */
    struct user_dispatch { /* [own] calls that it takes itself: kernel/syscall/user_dispatch.c */
        bool on;
        uint32_t from, len; /* where in its code they are made all the same */
        const void __user *selector;
    } dispatch;
    struct tracee *trace; /* [proc_lock and handlers->lock: either to read] NULL: untraced */
    int exit_status;      /* [own] what it ends with, as wait4 gives it */
    uint32_t robust_list; /* user address for set_robust_list, or 0 */
#define RSEQ_SIZE 32u     /* and its alignment */
    uint32_t rseq, rseq_signature; /* [own] user address and signature of rseq(2), or 0 */
    uint8_t seccomp;               /* [own; others, proc_lock] SECCOMP_*: kernel/seccomp */
    bool rseq_interrupted;         /* [sched_lock] another thread ran, which rseq has to be told */
    bool moved; /* [sched_lock] to another CPU, which rseq has to be told, too, at the way out */
    char comm[COMM_LEN]; /* PR_SET_NAME on a thread that is not the first; else empty */

    /* usage.user_ns and system_ns [told_lock]: of run_ns, as thread_times() last said. */
    struct cpu *cpu;                   /* [sched_lock] where it runs, or ran last */
    uint32_t cpus;                     /* [sched_lock] where it may run: a bit for each */
    uint64_t ran_at;                   /* [own CPU] clock when last charged */
    uint64_t run_ns;                   /* [sched_lock] time on a CPU, all modes */
    struct timer *cpu_timers;          /* [timer_lock] by run_ns: kernel/time/cpu_clock.c */
    uint32_t user_ticks, system_ticks; /* [own CPU] timer ticks that found it in either mode */

    /* Last, so that a new thread is zeroed up to here. kmalloc's blocks of this size are aligned.
     */
    uint8_t fpu_area[FPU_AREA] __attribute__((aligned(16)));
};

/* The current one is about to look once more whether it has to sleep: an exchange, so that the look
 * comes after, and who wakes from another processor finds it asleep or has been seen. */
static inline void thread_announce(struct thread *t, enum thread_state state)
{
    (void)__atomic_exchange_n((uint32_t *)&t->state, (uint32_t)state, __ATOMIC_SEQ_CST);
}

enum proc_state { PROC_ALIVE, PROC_ZOMBIE };

#define AUXV_WORDS 48u /* as Linux i386 keeps */

/* Where the parts of the program lie, as exec found them or PR_SET_MM said. */
struct program_marks {
    vaddr_t start_code, end_code, start_data, end_data, start_stack;
};

struct proc {
    int32_t pid;           /* thread group id */
    uint32_t serial;       /* grows with every process linked: the order of all_procs */
    enum proc_state state; /* [proc_lock] */
    struct list threads;   /* [proc_lock] */
    uint32_t nthreads;     /* [proc_lock] */
    struct list all_link;  /* [proc_lock] every process */
    struct list hash_link; /* [proc_lock] all processes by pid */
    bool shares_space;     /* space is, or was, also another process's */
    bool no_new_privs;     /* prctl */
    bool used_privilege;   /* a capability has let it do something: for its account */
    bool thp_disabled;     /* prctl: kept by children and through exec; there are no huge pages */
    bool subreaper;        /* [proc_lock] prctl: orphans below it become its children, not init's */
    uint8_t parent_death_signal;       /* prctl */
    uint8_t membarriers;               /* membarrier: which it has said it will use */
    uint32_t login_uid, login_session; /* [proc_lock] /proc/PID/loginuid; -1: nobody logged in */
    uint32_t personality;
    struct proc *parent;           /* [proc_lock] */
    struct list children, sibling; /* [proc_lock] */
    int32_t forked_by;             /* [proc_lock] the thread of the parent that made it */
    struct list tracees;           /* [proc_lock] those whom its threads trace */
    struct tracee *trace;          /* [proc_lock] of the first thread, also when that is gone */
    uint32_t dead_tracees; /* [proc_lock] ended threads whose tracer has yet to hear of it */
    int32_t pgid, sid;     /* [proc_lock] */
    struct list group_link, session_link; /* [proc_lock] those of the same: group.c */
    struct tty *tty;                      /* [tty_session_lock] the controlling terminal */
    int32_t hung_up_group; /* [tty_session_lock] a leader's: in front when its terminal hung up */
    bool did_exec;
    uint8_t dumpable;     /* DUMPABLE_* */
    uint32_t core_filter; /* /proc/PID/coredump_filter, man 5 core */
    char comm[COMM_LEN];

    struct vm_space *space;     /* NULL in a kernel process and in a zombie */
    struct files *files;        /* [proc_lock, and files_lock for its threads beside others] */
    struct spinlock files_lock; /* LOCK_RANK_FILES_OF */
    uint8_t files_use;          /* FILES_*: changed by the only thread that there is */
    struct fs_context *fs;
    struct file *exe;                               /* /proc/PID/exe */
    vaddr_t arg_start, arg_end, env_start, env_end; /* /proc/PID/cmdline, environ */
    vaddr_t auxv_start, auxv_end;                   /* /proc/PID/auxv */
    uint32_t *auxv;                                 /* [proc_lock] what PR_SET_MM_AUXV said */
    struct program_marks marks;

    struct cred cred;
    struct rlimit32 rlimits[RLIM_NLIMITS];
    struct signal_handlers *handlers; /* shared with CLONE_SIGHAND */
    struct signal_shared sig;         /* pending for the process, timers, stop state */
    int exit_status;                  /* as wait4 gives it */
    int exit_signal;                  /* sent to the parent; SIGCHLD for fork */
    struct rusage_counts usage;       /* of threads that are gone */
    struct rusage_counts child_usage; /* of children that were waited for */
    struct timer *cpu_timers;         /* [timer_lock] by the time of all threads */
    struct list sem_undos;            /* [sem_table.lock] what its end gives back: kernel/ipc */
    uint64_t start_ns;                /* time_mono_ns() at creation */
    struct waitq child_exit;          /* wait4 sleeps here */
    struct proc_handle *handle;       /* [proc_lock] or NULL */
    struct sched_attr first_sched;    /* [proc_lock] of the first thread, once that is gone */
    int16_t oom_score_adj;            /* [proc_lock] /proc/PID/oom_score_adj */
    int16_t oom_score_adj_min;        /* [proc_lock] the lowest that root has set */
};

extern struct spinlock proc_lock; /* LOCK_RANK_PROC */
extern struct list all_procs;     /* [proc_lock] */
extern struct proc *init_proc;

/* Whether a process may be looked into by its user, and leaves a core; DUMPABLE_ROOT: no, but one
 * that belongs to root. It becomes suid_dumpable (/proc/sys/fs) when its rights change. */
enum { DUMPABLE_NOT, DUMPABLE_USER, DUMPABLE_ROOT };
extern uint32_t suid_dumpable;
#define CORE_FILTER_DEFAULT 0x33u
#define CORE_FILTER_ALL     0x1ffu

static inline struct proc *proc_current(void)
{
    return thread_current()->proc;
}

/* A SIGKILL waits for the current thread, or it must die: no use in sleeping on. */
bool fatal_signal_pending(void);

struct proc *proc_find(int32_t pid);     /* [proc_lock held] NULL when there is none */
struct thread *thread_find(int32_t tid); /* [proc_lock held] */
/* [proc_lock held] Whom a thread's id names, 0 being the caller: its process, or NULL. The id of a
 * first thread is the process's as long as there is one; if that thread is gone, *t is NULL. */
struct proc *proc_find_any(int32_t tid, struct thread **t);
/* [proc_lock held, but let go every so many steps] The process that was made after p, NULL: none,
 * or the caller is to die. *steps is 0 before the first. All there are from beginning to end are
 * met. */
struct proc *proc_walk_on(struct proc *p, uint32_t *steps);
/* ---- Groups and sessions, kernel/thread/group.c, all with proc_lock held ---- */

struct list *proc_group_chain(int32_t pgid);
/* Does the statement for each process of the group, itself not leaving it. */
#define for_each_of_group(p, id)                                                                   \
    list_for_each_entry (p, proc_group_chain(id), group_link)                                      \
        if ((p)->pgid != (id)) {                                                                   \
        } else
struct proc *proc_first_of_group(int32_t pgid); /* NULL: there is no such group */
bool proc_names_group(int32_t id);              /* whether it is a group's id, or a session's */
void proc_set_group(struct proc *p, int32_t pgid);
void proc_set_session(struct proc *p, int32_t sid);
void proc_leave_groups(struct proc *p);
void proc_groups_init(void);

/* [proc_lock] Where a walk over all processes has come to that lets the lock go as it likes; zeros:
 * the beginning. */
struct proc_place {
    int32_t pid;
    uint32_t serial;
};
struct proc *proc_after(struct proc_place *at); /* the next, to which the place moves; or NULL */
/* [proc_lock held] The oldest: where such a walk starts. */
struct proc *proc_oldest(void);
/* [proc_lock held] Its first thread is gone, others may be there: as on Linux it still counts. */
bool proc_lost_first(const struct proc *p);
void proc_usage(struct proc *p, struct rusage_counts *out); /* live threads and gone ones */
void thread_times(struct thread *t, uint64_t *user_ns, uint64_t *system_ns);
/* [proc_lock held] n more (-1: one less) ended threads of p, whose ids stay taken meanwhile. */
void proc_count_dead_tracee(struct proc *p, int n);
#define PID_MAX       32768u /* ids are below; as on Linux with 32 bits */
#define PID_MAX_LEAST 301u
extern uint32_t proc_pid_max;          /* a word: below which ids are given out from now on */
int32_t proc_last_pid(void);           /* the newest id given out */
void proc_set_last_pid(int32_t pid);   /* the next is sought behind that */
uint32_t proc_count_threads(void);     /* all of the system */
uint32_t proc_count_tasks(void);       /* with processes that nobody has waited for yet */
uint32_t proc_thread_limit(void);      /* how many there may be: then fork is -EAGAIN */
int proc_set_thread_limit(uint32_t n); /* -EINVAL */
/* Sets the limit by the memory that is free now, and p's resource limits by that. */
void proc_settle_thread_limit(struct proc *p);
int proc_may_fork(const struct proc *creator); /* -EAGAIN, -ENOMEM; may sleep */

/* A process and its thread as fork and kthread_create make them; not yet linked or running. */
struct proc *
proc_alloc(struct proc *like);  /* ids, limits and credentials of like; NULL: no memory */
void proc_free(struct proc *p); /* one that never ran, or a zombie that was waited for */
struct thread *thread_alloc(struct proc *p, const struct thread *creator);
void thread_free(struct thread *t);   /* one that never ran */
void thread_drop_cached_stacks(void); /* gives back the stacks kept for reuse */
void thread_bury(struct thread *t);   /* the scheduler: a dead thread that left its stack */
int pid_alloc(void);                  /* [proc_lock held] an id nobody uses, or -EAGAIN */
int pid_claim(int32_t pid);           /* [proc_lock held] that one: pid, -EEXIST, -EINVAL */
void proc_link(struct proc *p, struct proc *parent); /* [proc_lock held] makes it visible */
void proc_unlink(struct proc *p);                    /* [proc_lock held] */
void thread_link(struct thread *t);                  /* [proc_lock held] */
void thread_unlink(struct thread *t);                /* [proc_lock held] */
void thread_set_tid(struct thread *t,
                    int32_t tid); /* [proc_lock held] exec takes the first thread's */
void thread_add_usage(struct rusage_counts *sum, struct thread *t);
void usage_add(struct rusage_counts *sum, const struct rusage_counts *more);
void thread_release_tid(struct thread *t); /* exec and exit: clear_child_tid, robust locks */
void proc_note_peak(struct proc *p);       /* the space goes: remembers how big it was */
void proc_apply_vm_limits(struct proc *p, struct vm_space *s); /* rlimits of p to s */
void vfork_release(struct thread *t); /* exec and exit: lets a vfork parent go on */
/* A reference goes, and perhaps the space, without the kernel lock; the caller has it. May sleep.
 */
void proc_unref_space(struct vm_space *s);
/* Gives back what a process holds apart from itself: space, files, directory, program. May sleep.
 */
void proc_release(struct proc *p);
void proc_init(void); /* once at boot, before sched_init */
void kthread_first_run(void);

/* ---- Handles, kernel/thread/handle.c ---- */

struct proc_handle {
    uint32_t refs;      /* atomic */
    int32_t pid;        /* -1: not attached yet */
    struct proc *proc;  /* [proc_lock] NULL: not yet there, or waited for */
    bool over;          /* [proc_lock] waited for */
    struct waitq queue; /* woken when the process ends, and when it has been waited for */
};
struct proc_handle *proc_handle_new(void);                      /* of nobody yet; NULL: no memory */
void proc_handle_put(struct proc_handle *h);                    /* drops a reference */
void proc_handle_attach(struct proc_handle *h, struct proc *p); /* [proc_lock held] p has none */
/* A reference to the handle of a process, or NULL: -ESRCH, -EINVAL (a thread's id), -ENOMEM. */
struct proc_handle *proc_handle_get(int32_t pid, int *err);
bool proc_handle_over(struct proc_handle *h); /* the process has ended */
void proc_handle_detach(struct proc *p); /* [proc_lock held] p has one, and has been waited for */
/* pidfd_send_signal: uinfo may be NULL. 0 or -errno. kernel/signal/sigsend.c */
int signal_send_handle(struct proc_handle *h, int signo, void __user *uinfo);

extern struct thread boot_thread; /* what runs kernel_main, and then idles */
extern struct proc kernel_proc;   /* pid 0: its process */

/* What sessions ask of terminals, which register themselves (drivers/tty). */
struct session_terminals {
    void (*detach)(struct proc *p); /* p has no controlling terminal any more */
    void (*describe)(struct proc *p, uint32_t *dev, int32_t *pgrp);
};
void session_set_terminals(const struct session_terminals *t);
/* p's controlling terminal: device number (0: none) and foreground group (-1). */
void session_terminal(struct proc *p, uint32_t *dev, int32_t *pgrp);

/* A kernel thread; fn must not return. */
struct thread *kthread_create(const char *name, void (*fn)(void *), void *arg);

/* End the current process (all threads) with a wait status; never returns. */
_Noreturn void proc_exit(int status);
_Noreturn void thread_exit(void);
/* Ends the thread; the process's others live. What the parent is told at the end is the first one's
 * word. */
_Noreturn void thread_end(int status);

/* Kills one process to free memory, as vm_fault's VM_NO_MEMORY asks. Logs who and why. Returns
 * false if the current process is the victim (it dies on its way to user mode) or nobody is left.
 */
bool oom_kill(void);
extern uint32_t oom_kills;        /* atomic: how many so far */
#define OOM_SCORE_ADJ_MIN (-1000) /* never */
#define OOM_SCORE_ADJ_MAX 1000
uint32_t oom_score(const struct proc *p); /* [proc_lock held] in 0..2000 or so, as Linux shows it */

/* The space of a process for a reader that is not it (/proc): a reference, or NULL when there is
 * none. */
struct vm_space *proc_get_space(struct proc *p);

/* execve on the current process with kernel-memory strings. 0 or -errno before the point of no
 * return; after it the process is killed. */
int proc_exec(const char *path, char *const argv[], char *const envp[]);

/* Whether the current process has the capability CAP_*, in effect. */
static inline bool capable(unsigned cap)
{
    struct proc *p = proc_current();

    if (!cred_capable(&p->cred, cap))
        return false;
    p->used_privilege = true;
    return true;
}

/* [proc_lock held] Whether the current process may look into p (its memory, descriptors, links): as
 * the user that opens files, or as the one that it really is. kernel/cred/inspect.c */
enum inspect_ids { INSPECT_FS, INSPECT_REAL };
bool proc_may_inspect(const struct proc *p, enum inspect_ids which);
bool proc_may_schedule(const struct proc *p); /* set its policy, its CPUs, its nice value */

#endif
