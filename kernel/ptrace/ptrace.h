/*
 * Tracing: a thread that another one, its tracer, stops, looks into and lets go on. man 2 ptrace.
 *
 * What is kept of it is a struct tracee. It hangs on the thread (thread->trace), on the list of the
 * tracer's process, and of a first thread on the process too. It outlives the thread until the
 * tracer has been told of the end, so whoever traces is told of every thread that it traced.
 *
 * There is one stop, ptrace_stop(), for all that man 2 ptrace tells apart: the thread sleeps in
 * THREAD_TRACED until it is resumed, detached or killed. While it sleeps there, its tracer may
 * touch its registers. thread->trace changes under proc_lock and handlers->lock, so that either is
 * enough to follow it.
 */
#ifndef KERNEL_PTRACE_H
#define KERNEL_PTRACE_H

#include "kernel/thread/proc.h"

#define PTRACE_EVENT_FORK       1
#define PTRACE_EVENT_VFORK      2
#define PTRACE_EVENT_CLONE      3
#define PTRACE_EVENT_EXEC       4
#define PTRACE_EVENT_VFORK_DONE 5
#define PTRACE_EVENT_EXIT       6
#define PTRACE_EVENT_SECCOMP    7
#define PTRACE_EVENT_STOP       128

#define PTRACE_O_TRACESYSGOOD    0x00000001u
#define PTRACE_O_EVENT(event)    (1u << (event)) /* of FORK to SECCOMP */
#define PTRACE_O_EXITKILL        0x00100000u
#define PTRACE_O_SUSPEND_SECCOMP 0x00200000u
#define PTRACE_O_ALL             0x001000ffu

#define PTRACE_EVENTMSG_ENTRY 1 /* the message at a stop for a system call */
#define PTRACE_EVENTMSG_EXIT  2

/* How a thread goes on. */
enum ptrace_resume {
    RESUME_STEP = 1,    /* one instruction */
    RESUME_CALLS = 2,   /* to the next entry to or exit from a system call */
    RESUME_EMULATE = 4, /* to the next entry, and the call is not made */
};

struct tracee {
    struct list link;      /* [proc_lock] in tracer->proc->tracees */
    struct thread *tracer; /* [proc_lock] */
    struct thread *thread; /* [proc_lock] NULL: it has ended */
    struct proc *proc;     /* whose thread it is, or was */
    int32_t tid;
    bool seized;      /* by PTRACE_SEIZE */
    bool privileged;  /* the tracer might have traced anybody */
    uint32_t options; /* PTRACE_O_* */
    uint8_t resume;   /* enum ptrace_resume */
    bool forced_step; /* the trap flag is set by us, not by the program */

    /* The stop. [handlers->lock] */
    bool stopped;
    bool listening;       /* stopped, but as good as running: PTRACE_LISTEN */
    bool told;            /* the tracer has been told by wait */
    bool last;            /* its process ends: only the tracer lets it go on, no SIGKILL does */
    bool frozen, killed;  /* a request is being carried out: SIGKILL waits, and has come */
    int code;             /* signal | event << 8 */
    struct siginfo *info; /* on the tracee's stack; NULL in a group stop */
    uint32_t message;     /* PTRACE_GETEVENTMSG */

    /* What it has to stop for. [handlers->lock] */
    bool trap_wanted;   /* PTRACE_INTERRUPT, or attached while it was stopped */
    bool notify_wanted; /* seized: its process was continued */
    bool passed_stop;   /* took part in the present group stop, and its tracer let it go on */

    /* How it ended. */
    int status;
    uint32_t uid;
    struct rusage_counts usage;

    struct debug_registers debug;
};

static inline bool tracee_is_first(const struct tracee *x)
{
    return x->proc->trace == x;
}

/* ---- Stops, each by the thread itself (stop.c) ---- */

/* [handlers->lock held, dropped meanwhile] t has taken signo: stops for it if it is traced. The
 * signal to deliver, 0: none. *info is changed to fit. */
int ptrace_signal(struct thread *t, int signo, struct siginfo *info);
/* [handlers->lock held, dropped meanwhile] t is traced and its process stopped. */
void ptrace_group_stop(struct thread *t);
/* [handlers->lock held] Whether t has to come by in ptrace_trap(). */
bool ptrace_wants_trap(const struct thread *t);
void ptrace_trap(struct thread *t); /* [handlers->lock held, dropped meanwhile] */
/* Something that is only said to who asked for it by an option. */
void ptrace_event(int event, uint32_t message);
bool ptrace_wants_event(int event);
void ptrace_exec(int32_t old_tid); /* the current thread has a new program */
/* A signal handler is about to be entered: a step ends there. Whether t was stepping; if so, the
 * second is called once its frame is made. */
bool ptrace_end_step(void);
void ptrace_handler_entered(void);
/* Around a system call of a traced thread. False: it is not to be made. */
bool ptrace_call_entry(struct trapframe *tf);
void ptrace_call_exit(struct trapframe *tf);

/* ---- What happens to those who are traced, by others ---- */

/* [handlers->lock held] */
void ptrace_wake_killed(struct thread *t);
void ptrace_process_stops(struct thread *t);     /* a stop begins: t takes part anew */
void ptrace_process_continues(struct thread *t); /* SIGCONT */
void ptrace_go_on(struct tracee *x, int signo);  /* out of its stop, with a signal or 0 */
static inline bool ptrace_in_stop(const struct thread *t)
{
    return t->trace && t->trace->stopped;
}

/* ---- Ties (attach.c), with proc_lock held unless it says otherwise ---- */

long ptrace_traceme(void);                                     /* no lock */
long ptrace_attach(int32_t tid, bool seize, uint32_t options); /* no lock, may sleep */
void ptrace_detach(struct tracee *x, int signo);               /* no lock; frees x */

/* For a thread that its creator's tracer shall trace too: made before (may be NULL: none). */
struct tracee *ptrace_fork_prepare(bool wanted, int *err); /* no lock; kmfree what is not used */
void ptrace_fork_commit(struct tracee **x, struct thread *child);
void ptrace_exec_ids(struct thread *t); /* t has become the first thread */
/* The current thread ends with status, and stops once more if that was asked for. No lock. */
void ptrace_exit_stop(int status);
void ptrace_exit_tracer(struct thread *t); /* it traces nobody any more; no lock */
void ptrace_thread_gone(struct thread *t); /* it leaves its process */
/* [proc_lock held] The tracer of p's first thread, if it is another process's. */
struct proc *ptrace_foreign_tracer(const struct proc *p);
/* A set-user-ID program gains nothing under a tracer that may not trace everybody. */
bool ptrace_bars_setid(const struct thread *t);
int32_t ptrace_tracer_pid(const struct thread *t); /* 0: none */

/* ---- Ends (report.c), with proc_lock held ---- */

/* Tells whom it concerns that p, a zombie, has ended; whether nobody waits for that, so that p is
 * to vanish. */
bool proc_report_end(struct proc *p);
/* The tracer was told of the end of x's thread. Frees x; whether its process is to vanish. */
bool ptrace_end_told(struct tracee *x);
void ptrace_tell_tracer(struct tracee *x, int code, int status); /* SIGCHLD, CLD_* */
void tracee_link(struct tracee *x, struct thread *tracer);       /* on the tracer's list */
void tracee_free(struct tracee *x);                              /* off all lists */

/* ---- Registers (registers.c, regset.c), of a thread that is stopped ---- */

#define USER_AREA_REGISTERS 17 /* words of struct user_regs_struct */
#define USER_AREA_DEBUG     252u
#define USER_AREA_SIZE      284u

uint32_t ptrace_get_register(const struct tracee *x, unsigned n);
int ptrace_put_register(struct tracee *x, unsigned n, uint32_t value); /* -EIO */
long ptrace_peek_user(struct tracee *x, uint32_t offset, uint32_t *value);
long ptrace_poke_user(struct tracee *x, uint32_t offset, uint32_t value);
long ptrace_getregset(struct tracee *x, uint32_t type, void __user *uiov);
long ptrace_setregset(struct tracee *x, uint32_t type, void __user *uiov);
/* The whole of one set to or from user memory: GETREGS and kin. */
long ptrace_get_whole(struct tracee *x, uint32_t type, void __user *ubuf);
long ptrace_put_whole(struct tracee *x, uint32_t type, const void __user *ubuf);
void ptrace_set_step(struct tracee *x, bool on);

/* ---- Signals of the tracee (signals.c) ---- */

long ptrace_getsiginfo(struct tracee *x, void __user *uinfo);
long ptrace_setsiginfo(struct tracee *x, void __user *uinfo);
long ptrace_peeksiginfo(struct tracee *x, void __user *uargs, void __user *uinfo);
long ptrace_getsigmask(struct tracee *x, uint32_t size, void __user *umask);
long ptrace_setsigmask(struct tracee *x, uint32_t size, void __user *umask);
long ptrace_syscall_info(struct tracee *x, uint32_t size, void __user *uinfo);

#endif
