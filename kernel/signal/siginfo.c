/*
 * Linux i386's siginfo_t to and from the unpacked struct siginfo. After the three common words
 * come, for faults, the address; else pid, uid and a value or status, with the child's times behind
 * it. The members of a POSIX timer's variant lie in the same places.
 */
#include "arch/uaccess.h"
#include "kernel/signal/signal_impl.h"
#include "libc/errno.h"
#include "libc/string.h"

#define COMMON_WORDS 3
#define USED_WORDS   8 /* of what is behind them, the rest is zero */

#define POLL_CODES 6 /* POLL_IN to POLL_HUP */

enum siginfo_kind siginfo_kind(const struct siginfo *info)
{
    if (info->code > SI_USER && info->code < SI_KERNEL) {
        if (SIGMASK(info->signo) & SIGS_SYNCHRONOUS)
            return SIGINFO_FAULT;
        if (info->signo == SIGCHLD)
            return SIGINFO_CHILD;
        return info->code <= POLL_CODES ? SIGINFO_POLL : SIGINFO_SENDER;
    }
    if (info->code == SI_TIMER)
        return SIGINFO_TIMER;
    return info->code == SI_SIGIO ? SIGINFO_POLL : SIGINFO_SENDER;
}

void siginfo_to_user_layout(struct user_siginfo *out, const struct siginfo *info)
{
    memset(out->field, 0, sizeof(out->field));
    out->signo = info->signo;
    out->err = info->err;
    out->code = info->code;
    if (siginfo_kind(info) == SIGINFO_FAULT) {
        out->field[0] = info->addr;
        out->field[1] = (uint32_t)info->uid; /* 0, or a stop that ptrace tells of; SIGSYS: the */
        out->field[2] = info->value;         /* call, and here its architecture */
        return;
    }
    out->field[0] = (uint32_t)info->pid;
    out->field[1] = (uint32_t)info->uid;
    if (siginfo_kind(info) == SIGINFO_CHILD) {
        out->field[2] = (uint32_t)info->status;
        out->field[3] = info->utime;
        out->field[4] = info->stime;
    } else {
        out->field[2] = info->value;
    }
}

int siginfo_from_user(struct siginfo *out, void __user *uptr)
{
    uint32_t w[USED_WORDS];

    if (copy_from_user(w, uptr, sizeof(w)))
        return -EFAULT;
    memset(out, 0, sizeof(*out));
    out->signo = (int32_t)w[0];
    out->err = (int32_t)w[1];
    out->code = (int32_t)w[2];
    out->addr = w[COMMON_WORDS];
    out->pid = (int32_t)w[COMMON_WORDS];
    out->uid = (int32_t)w[COMMON_WORDS + 1];
    out->status = (int32_t)w[COMMON_WORDS + 2];
    out->value = w[COMMON_WORDS + 2];
    out->utime = w[COMMON_WORDS + 3];
    out->stime = w[COMMON_WORDS + 4];
    return 0;
}
