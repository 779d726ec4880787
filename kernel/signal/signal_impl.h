/*
 * What the signal files share among themselves: queues and sets. Everyone else uses
 * kernel/signal/signal.h.
 */
#ifndef KERNEL_SIGNAL_IMPL_H
#define KERNEL_SIGNAL_IMPL_H

#include "kernel/thread/proc.h"
#include "kernel/signal/signal.h"

/* A signal that waits. embedded: it is part of a POSIX timer, whose memory it stays. */
struct queued_signal {
    struct list link; /* [handlers->lock] on itself while not queued */
    struct siginfo info;
    struct user *user; /* to whom it is charged, with a reference; NULL: nobody */
    bool embedded;
};

/* RLIMIT_SIGPENDING: one more for the real user of p, who is then told; NULL: that is over the
 * limit, or there is no memory. */
struct user *signal_charge(const struct proc *p);
void signal_uncharge(struct user *u);

#define SIGS_UNMASKABLE (SIGMASK(SIGKILL) | SIGMASK(SIGSTOP))
#define SIGS_STOP       (SIGMASK(SIGSTOP) | SIGMASK(SIGTSTP) | SIGMASK(SIGTTIN) | SIGMASK(SIGTTOU))
#define SIGS_IGNORED    (SIGMASK(SIGCHLD) | SIGMASK(SIGCONT) | SIGMASK(SIGURG) | SIGMASK(SIGWINCH))
#define SIGS_SYNCHRONOUS                                                                           \
    (SIGMASK(SIGSEGV) | SIGMASK(SIGBUS) | SIGMASK(SIGILL) | SIGMASK(SIGTRAP) | SIGMASK(SIGFPE) |   \
     SIGMASK(SIGSYS))

/*
 * Sends to t, or to any thread of p when t is NULL. q is the memory to queue (NULL: allocated).
 * -EAGAIN when a queued real-time signal is over the limit or finds no memory.
 */
int signal_post(struct proc *p, struct thread *t, int signo, const struct siginfo *info,
                struct queued_signal *q);

/* All with handlers->lock held. */
int signal_dequeue(struct thread *t, sigset64_t set, struct siginfo *out); /* its number, or 0 */
void signal_recalc(struct thread *t); /* sets work from scratch; t is current */
void signal_change_mask(struct thread *t, sigset64_t mask); /* the same, with a new mask */
void signal_discard(struct proc *p, sigset64_t set); /* drops pending ones, whoever they are for */
void signal_wake_threads(struct proc *p, bool stopped_too); /* every thread to signal_deliver */
void signal_requeue(struct thread *t, int signo, const struct siginfo *info); /* taken too early */
/* Whether t has to stop with its process: not if a tracer has let it go on. */
bool signal_stop_wanted(const struct thread *t);
bool signal_join_stop(struct thread *t); /* t stops; whether it is the last of its process */

/* kernel/signal/watch.c. The first with handlers->lock held. */
void signal_tell_listeners(struct signal_handlers *h, sigset64_t bit);
void signal_drop_listeners(struct signal_handlers *h); /* they go */

/* kernel/signal/signal_stop.c. The first drops and retakes handlers->lock. */
void signal_stop_current(struct thread *t);
bool signal_start_stop(struct thread *t, int signo);
void signal_continue(struct proc *p);
void signal_report_continued(struct proc *p);

/* kernel/deliver/sigframe.c: 0, or -EFAULT when the frame cannot be built. */
int sigframe_setup(struct trapframe *tf, const struct signal_handler *h, const struct siginfo *info,
                   sigset64_t old_mask);

/* Linux's siginfo_t as it lies in user memory. */
#define USER_SIGINFO_SIZE 128
struct user_siginfo {
    int32_t signo, err, code;
    uint32_t field[29];
};
void siginfo_to_user_layout(struct user_siginfo *out, const struct siginfo *info);
int siginfo_from_user(struct siginfo *out, void __user *uptr);

void posix_timers_delete(struct proc *p); /* exec and exit */
/* [handlers->lock held] A timer's signal leaves its queue: the timer may start again, and the
 * signal's overruns are counted. */
void posix_timer_taken(struct queued_signal *signal);

#endif
