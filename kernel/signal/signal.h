/*
 * Signals: pending sets, handlers, delivery. Numbers and structures are Linux i386's.
 */
#ifndef KERNEL_SIGNAL_H
#define KERNEL_SIGNAL_H

#include <stdbool.h>
#include <stdint.h>
#include "arch/lock.h"
#include "kernel/time/time.h"
#include "kernel/thread/sched.h"
#include "libc/list.h"

#define NSIG 64
typedef uint64_t sigset64_t; /* bit n-1 is signal n */
#define SIGMASK(n) (1ull << ((n)-1))

#define SIGHUP    1
#define SIGINT    2
#define SIGQUIT   3
#define SIGILL    4
#define SIGTRAP   5
#define SIGABRT   6
#define SIGBUS    7
#define SIGFPE    8
#define SIGKILL   9
#define SIGUSR1   10
#define SIGSEGV   11
#define SIGUSR2   12
#define SIGPIPE   13
#define SIGALRM   14
#define SIGTERM   15
#define SIGSTKFLT 16
#define SIGCHLD   17
#define SIGCONT   18
#define SIGSTOP   19
#define SIGTSTP   20
#define SIGTTIN   21
#define SIGTTOU   22
#define SIGURG    23
#define SIGXCPU   24
#define SIGXFSZ   25
#define SIGVTALRM 26
#define SIGPROF   27
#define SIGWINCH  28
#define SIGIO     29
#define SIGPWR    30
#define SIGSYS    31

#define SIG_DFL 0
#define SIG_IGN 1

#define SEGV_MAPERR 1
#define SEGV_ACCERR 2
#define BUS_ADRERR  2
#define SI_USER     0
#define SI_KERNEL   0x80
#define SI_QUEUE    (-1)
#define SI_TIMER    (-2)
#define SI_MESGQ    (-3)
#define SI_SIGIO    (-5)
#define SI_TKILL    (-6)

#define CLD_EXITED    1
#define CLD_KILLED    2
#define CLD_DUMPED    3
#define CLD_TRAPPED   4
#define CLD_STOPPED   5
#define CLD_CONTINUED 6

/* The code of a SIGCHLD for that wait status of a process that has ended. */
static inline int child_code(int status)
{
    if ((status & 0x7f) == 0)
        return CLD_EXITED;
    return status & 0x80 ? CLD_DUMPED : CLD_KILLED;
}

#define SA_NOCLDSTOP      0x00000001u
#define SA_NOCLDWAIT      0x00000002u
#define SA_SIGINFO        0x00000004u
#define SA_EXPOSE_TAGBITS 0x00000800u /* kept: addresses have no tags here */
#define SA_RESTORER       0x04000000u
#define SA_ONSTACK        0x08000000u
#define SA_RESTART        0x10000000u
#define SA_NODEFER        0x40000000u
#define SA_RESETHAND      0x80000000u

#define SS_ONSTACK    1u
#define SS_DISABLE    2u
#define SS_AUTODISARM 0x80000000u

struct proc;
struct thread;

/* The meaningful part of Linux's siginfo_t, unpacked. */
struct siginfo {
    int32_t signo, code, err;
    int32_t pid, uid;      /* sender; for SIGCHLD the child */
    int32_t status;        /* SIGCHLD: exit code or signal */
    uint32_t addr;         /* faults */
    uint32_t value;        /* sigqueue, timers (whose id is pid and overrun is uid) */
    uint32_t utime, stime; /* SIGCHLD, in ticks */
};

/* Which of its variants Linux's siginfo_t has. Of a timer, pid is its id and uid the overruns; of
 * SIGINFO_POLL (F_SETSIG), pid is the band and uid the descriptor. */
enum siginfo_kind {
    SIGINFO_SENDER,
    SIGINFO_TIMER,
    SIGINFO_POLL,
    SIGINFO_FAULT,
    SIGINFO_CHILD,
};
enum siginfo_kind siginfo_kind(const struct siginfo *info);

struct signal_handler {
    uint32_t handler; /* user address, 0 SIG_DFL, 1 SIG_IGN */
    uint32_t flags;   /* SA_* */
    uint32_t restorer;
    sigset64_t mask;
};

struct signal_handlers {
    uint32_t refs;        /* [lock] */
    struct spinlock lock; /* LOCK_RANK_SIGNAL */
    struct signal_handler action[NSIG];
    struct list listeners; /* kernel/signal/watch.c */
};

struct signal_queue {   /* what waits to be delivered */
    sigset64_t pending; /* [handlers->lock] */
    struct list infos;  /* [handlers->lock] struct queued_signal */
};

struct signal_state { /* of a thread */
    /* arch.work of the thread [handlers->lock] says that signal_deliver has something to do, and is
     * what signal_pending_current() says. */
    bool in_stop;          /* [handlers->lock] takes part in a stop of the process */
    sigset64_t mask;       /* [own thread] blocked */
    sigset64_t saved_mask; /* sigsuspend, ppoll: put back after delivery */
    bool restore_mask;
    sigset64_t waiting; /* [handlers->lock] sigtimedwait takes these, masked or not */
    struct signal_queue queue;
    uint32_t altstack, altstack_size, altstack_flags; /* size 0: none */
    uint32_t trap_addr, trap_no, trap_err;            /* of the last exception, for the frame */
    int trace_signo; /* [handlers->lock] what its tracer lets it go on with */
    int trap_signo;  /* its signal, until that is taken: one that somebody sent is not it */
    /* nanosleep and poll restart here after a signal without a handler */
    long (*restart_fn)(struct thread *t);
    uint64_t restart_until;
    uint32_t restart_args[4];
};

struct signal_shared { /* of a process */
    struct signal_queue queue;
    bool group_exit; /* [handlers->lock] every thread is on its way out */
    int group_exit_status;
    struct thread *dumper;       /* [handlers->lock] writes the core, or NULL: signal_begin_dump */
    uint32_t waiting_for_dump;   /* [handlers->lock] threads at their end */
    bool stopped;                /* [handlers->lock] by a stop signal */
    bool stop_complete;          /* [handlers->lock] every thread has come to it */
    int stop_report;             /* stop signal not yet seen by wait4(WUNTRACED), or 0 */
    bool cont_report;            /* continue not yet seen by wait4(WCONTINUED) */
    bool cont_notify;            /* [handlers->lock] the parent is yet to be told */
    bool stop_dequeued;          /* [handlers->lock] a stop signal is taken, SIGCONT cancels it */
    int stop_signo;              /* [handlers->lock] what stopped it */
    uint32_t queued;             /* [handlers->lock] infos waiting */
    struct queued_signal *spare; /* [handlers->lock] memory for the next one, or NULL */
    struct list posix_timers;    /* [handlers->lock] timer_create; kernel/time/posix_timer.c */
    int32_t next_timer_id;       /* [handlers->lock] */
    uint32_t timers;             /* how many posix_timers has */
    struct timer real_timer;     /* ITIMER_REAL and alarm */
    uint64_t real_interval;      /* [handlers->lock] */
    uint64_t virt_left, virt_interval, prof_left,
        prof_interval; /* [handlers->lock] ns of CPU time */
};

/* Sending. info may be NULL (SI_KERNEL). Any context except under a lock of rank SIGNAL or above.
 * The process must be kept alive by the caller (proc_lock held, or it is current). */
void signal_send_proc(struct proc *p, int signo, const struct siginfo *info);
void signal_send_thread(struct thread *t, int signo, const struct siginfo *info);
/* The same, telling whether it could be queued: -EAGAIN, of a real-time signal. t may be NULL. */
int signal_try_send(struct proc *p, struct thread *t, int signo, const struct siginfo *info);
/* As for a CPU exception: cannot be blocked or ignored (then the default action kills). */
void signal_force_current(int signo, const struct siginfo *info);
/* To a process group; -ESRCH when it is empty. Takes proc_lock. */
int signal_send_group(int32_t pgid, int signo, const struct siginfo *info);

void signal_broken_pipe(void); /* SIGPIPE to the current thread */

bool signal_pending_current(void);
bool signal_is_blocked_or_ignored_current(int signo); /* for SIGTTIN and SIGTTOU */

/*
 * Group exit. Marks p as on its way out with that wait status and wakes its threads, each of which
 * ends in signal_deliver (thread_exit). False if it was marked before: the first status stays.
 * signal_end_group_exit: for exec, when the caller is the last thread and lives on.
 */
bool signal_begin_group_exit(struct proc *p, int status);
void signal_end_group_exit(struct proc *p);
/* The same for one that writes its core first, kernel/signal/dump.c: returns when every other
 * thread is at its end. signal_end_dump lets them go: the wait status. signal_wait_for_dump: at the
 * end of a thread. */
bool signal_begin_dump(struct proc *p, int status);
int signal_end_dump(struct proc *p, bool dumped);
void signal_wait_for_dump(struct proc *p);

/* Whether p's children vanish without wait4: SIGCHLD ignored, or SA_NOCLDWAIT. */
bool signal_children_autoreap(struct proc *p);
/* [proc_lock held] Whether no member of the group but ignore has a parent in another group of the
 * same session: then terminal stop signals do nothing. */
bool pgrp_is_orphaned(int32_t pgid, const struct proc *ignore);

/*
 * A watch tells of signals of a set that wait for the current process or thread, kernel/signal/
 * watch.c. signal_watch_current: from now on its queue is woken by those that come for the current
 * process, too; -ENOMEM. signal_watch_take: takes one, or 0.
 */
struct signal_watch {
    sigset64_t set;
    struct waitq queue;
    struct list listeners;
    uint32_t count; /* of listeners */
};
void signal_watch_init(struct signal_watch *w, sigset64_t set);
void signal_watch_change(struct signal_watch *w, sigset64_t set);
int signal_watch_current(struct signal_watch *w);
void signal_watch_end(struct signal_watch *w);
int signal_watch_take(const struct signal_watch *w, struct siginfo *info);
bool signal_watch_pending(const struct signal_watch *w);
#define SIGNAL_LISTENER_BYTES 32u

/* Replaces the current thread's mask. The second form is for sigsuspend, ppoll...: until the call
 * is over, when signal_deliver or signal_restore_mask puts the old one back. */
void signal_set_mask(sigset64_t mask);
void signal_set_temporary_mask(sigset64_t mask);
void signal_restore_mask(void);

/* From return_to_user: runs default actions, or builds handler frames on the user stack, or
 * restarts the system call. */
struct trapframe;
void signal_deliver(struct trapframe *tf);

/* Life cycle. */
void signal_init_proc(struct proc *p); /* fresh state */
int signal_fork(struct proc *parent, struct proc *child, bool share_handlers);
/* exec: what signal_exec will need, before anything has changed. 0 or -ENOMEM. */
int signal_exec_reserve(struct proc *p, struct signal_handlers **spare);
/* Handlers back to default, in a table of its own; takes *spare if that is needed. Cannot fail. */
void signal_exec(struct proc *p, struct signal_handlers **spare);
/* Handlers of a process that does not run yet: the default, but for what is ignored. */
void signal_clear_handlers(struct signal_handlers *h);
void signal_free_proc(struct proc *p);
void signal_free_thread(struct thread *t); /* [proc_lock may be held] */
/* A new thread, whose proc is set: mask and, in a new process, alternate stack are its creator's
 * (may be NULL). */
void signal_init_thread(struct thread *t, const struct thread *creator);
void signal_notify_parent(struct proc *p, int code); /* [proc_lock held] SIGCHLD; CLD_* */
/* [proc_lock held] The same for anybody: signo (0: none) if it is wanted, and a look by its wait.
 */
void signal_tell_waiter(struct proc *to, int signo, const struct siginfo *info);
void signal_charge_cpu(struct thread *t, uint64_t ns,
                       bool user); /* ITIMER_VIRTUAL, PROF, RLIMIT_CPU */

#endif
