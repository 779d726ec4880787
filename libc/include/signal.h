#ifndef SIGNAL_H
#define SIGNAL_H

#include <stdint.h>
#include <sys/types.h>

#define SIGHUP   1
#define SIGINT   2
#define SIGQUIT  3
#define SIGILL   4
#define SIGTRAP  5
#define SIGABRT  6
#define SIGBUS   7
#define SIGFPE   8
#define SIGKILL  9
#define SIGUSR1  10
#define SIGSEGV  11
#define SIGUSR2  12
#define SIGPIPE  13
#define SIGALRM  14
#define SIGTERM  15
#define SIGCHLD  17
#define SIGCONT  18
#define SIGSTOP  19
#define SIGTSTP  20
#define SIGTTIN  21
#define SIGTTOU  22
#define SIGWINCH 28
#define NSIG     65

typedef uint64_t sigset_t; /* bit n-1 is signal n */
typedef void (*sighandler_t)(int);

#define SIG_DFL ((sighandler_t)0)
#define SIG_IGN ((sighandler_t)1)
#define SIG_ERR ((sighandler_t)-1)

#define SA_NOCLDSTOP 0x00000001u
#define SA_SIGINFO   0x00000004u
#define SA_RESTORER  0x04000000u
#define SA_RESTART   0x10000000u
#define SA_NODEFER   0x40000000u
#define SA_RESETHAND 0x80000000u

#define SIG_BLOCK   0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2

typedef struct {
    int si_signo, si_errno, si_code;
    union {
        int pad[29];
        struct {
            pid_t si_pid;
            uid_t si_uid;
            int si_status;
        };
        void *si_addr;
    };
} siginfo_t;

struct sigaction {
    union {
        sighandler_t sa_handler;
        void (*sa_sigaction)(int, siginfo_t *, void *);
    };
    unsigned sa_flags;
    void (*sa_restorer)(void); /* filled in by sigaction() */
    sigset_t sa_mask;
};

int kill(pid_t pid, int signo);
int raise(int signo);
int sigaction(int signo, const struct sigaction *act, struct sigaction *old);
sighandler_t signal(int signo, sighandler_t handler); /* with SA_RESTART */
int sigprocmask(int how, const sigset_t *set, sigset_t *old);
int sigsuspend(const sigset_t *mask);
int sigpending(sigset_t *set);

static inline int sigemptyset(sigset_t *s)
{
    *s = 0;
    return 0;
}

static inline int sigfillset(sigset_t *s)
{
    *s = ~(sigset_t)0;
    return 0;
}

static inline int sigaddset(sigset_t *s, int signo)
{
    *s |= (sigset_t)1 << (signo - 1);
    return 0;
}

static inline int sigdelset(sigset_t *s, int signo)
{
    *s &= ~((sigset_t)1 << (signo - 1));
    return 0;
}

static inline int sigismember(const sigset_t *s, int signo)
{
    return *s >> (signo - 1) & 1;
}

#endif
