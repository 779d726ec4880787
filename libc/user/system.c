/* Signals, memory and what concerns the whole machine. */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "libc/user/number.h"

#define REBOOT_MAGIC1 0xfee1dead
#define REBOOT_MAGIC2 672274793

void signal_restorer(void);
void siginfo_restorer(void);

int kill(pid_t pid, int signo)
{
    return syscall(NR_kill, pid, signo);
}

int raise(int signo)
{
    return kill(getpid(), signo);
}

int sigaction(int signo, const struct sigaction *act, struct sigaction *old)
{
    struct sigaction with_restorer;

    if (act) {
        with_restorer = *act;
        with_restorer.sa_flags |= SA_RESTORER;
        with_restorer.sa_restorer = act->sa_flags & SA_SIGINFO ? siginfo_restorer : signal_restorer;
        act = &with_restorer;
    }
    return syscall(NR_rt_sigaction, signo, act, old, sizeof(sigset_t));
}

sighandler_t signal(int signo, sighandler_t handler)
{
    struct sigaction act = {.sa_handler = handler, .sa_flags = SA_RESTART}, old;

    return sigaction(signo, &act, &old) < 0 ? SIG_ERR : old.sa_handler;
}

int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
    return syscall(NR_rt_sigprocmask, how, set, old, sizeof(sigset_t));
}

int sigsuspend(const sigset_t *mask)
{
    return syscall(NR_rt_sigsuspend, mask, sizeof(sigset_t));
}

int sigpending(sigset_t *set)
{
    return syscall(NR_rt_sigpending, set, sizeof(sigset_t));
}

/* The kernel answers with the break as it is then: unchanged means that it refused. */
static char *current_break;

int brk(void *end)
{
    current_break = (char *)syscall(NR_brk, end);
    if (current_break == end)
        return 0;
    errno = ENOMEM;
    return -1;
}

void *sbrk(intptr_t increment)
{
    char *old;

    if (!current_break)
        brk(NULL);
    old = current_break;
    return brk(old + increment) < 0 ? (void *)-1 : old;
}

void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
    if (offset & 4095) {
        errno = EINVAL;
        return MAP_FAILED;
    }
    return (void *)syscall(NR_mmap2, addr, len, prot, flags, fd, (long)(offset >> 12));
}

int munmap(void *addr, size_t len)
{
    return syscall(NR_munmap, addr, len);
}

int mprotect(void *addr, size_t len, int prot)
{
    return syscall(NR_mprotect, addr, len, prot);
}

int msync(void *addr, size_t len, int flags)
{
    return syscall(NR_msync, addr, len, flags);
}

int madvise(void *addr, size_t len, int advice)
{
    return syscall(NR_madvise, addr, len, advice);
}

void *mremap(void *addr, size_t len, size_t new_len, int flags)
{
    return (void *)syscall(NR_mremap, addr, len, new_len, flags, 0);
}

int getrusage(int who, struct rusage *usage)
{
    return syscall(NR_getrusage, who, usage);
}

int mount(const char *source, const char *target, const char *type, unsigned long flags,
          const void *data)
{
    return syscall(NR_mount, source, target, type, flags, data);
}

int umount(const char *target)
{
    return syscall(NR_umount2, target, 0);
}

int reboot(unsigned how)
{
    return syscall(NR_reboot, REBOOT_MAGIC1, REBOOT_MAGIC2, how, NULL);
}

int uname(struct utsname *u)
{
    return syscall(NR_uname, u);
}

int sethostname(const char *name, size_t len)
{
    return syscall(NR_sethostname, name, len);
}

int klogctl(int type, char *buf, int len)
{
    return syscall(NR_syslog, type, buf, len);
}
