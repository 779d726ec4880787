/*
 * Every system call with wild pointers, in every argument, from children that may die of it. The
 * kernel must live. Calls that would end the test are left out: exit, and what stops the machine.
 */
#include "guest.h"

#define CALLS 460

static const uint32_t wild[] = {
    0,          1,          0xfff,      0x1000,     0x7ffffffc, 0x7fffffff, 0x80000000,
    0x80100000, 0xbffffffe, 0xc0000000, 0xfffff000, 0xfffffffc, 0xffffffff,
};
#define WILD (sizeof(wild) / sizeof(*wild))

static bool skipped(int nr)
{
    switch (nr) {
    case SYS_exit:
    case SYS_exit_group:
    case SYS_reboot:
    case SYS_kill:
    case SYS_tkill:
    case SYS_tgkill:
    case SYS_pause:
    case SYS_rt_sigreturn:
    case SYS_sigreturn:
    case SYS_vfork:
    case SYS_fork:
    case SYS_clone:
    case SYS_umount:
    case SYS_umount2:
    case SYS_stime:
    case SYS_settimeofday:
    case SYS_clock_settime:
    case SYS_clock_settime64:
    case SYS_sethostname:
    case SYS_syslog:
        return true;
    default:
        return false;
    }
}

static unsigned seed = 12345;

static uint32_t pick(void)
{
    seed = seed * 1664525 + 1013904223;
    return wild[(seed >> 16) % WILD];
}

/* All arguments wild at first, then each alone among harmless ones. */
static void attack(int nr)
{
    for (size_t i = 0; i < WILD; i++)
        syscall(nr, wild[i], wild[i], wild[i], wild[i], wild[i], wild[i]);
    for (int i = 0; i < 40; i++)
        syscall(nr, pick(), pick(), pick(), pick(), pick(), pick());
    for (int i = 0; i < 40; i++)
        syscall(nr, i % 5, pick(), pick(), pick(), pick(), pick());
    for (int i = 0; i < 20; i++)
        syscall(nr, i % 5, pick(), 64, 0, pick(), 0);
}

static void in_sandbox(int nr)
{
    const struct itimerval limit = {.it_value = {0, 200000}};
    int null = open("/dev/null", O_RDWR), fds[2];
    int file = open("victim", O_RDWR | O_CREAT | O_TRUNC | O_LARGEFILE, 0600);

    DIE_UNLESS(null >= 0 && file >= 0);
    dup2(null, 0);
    dup2(file, 1);
    dup2(null, 2);
    if (pipe(fds) == 0)
        dup2(fds[0], 3);
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    fcntl(fds[1], F_SETFL, O_NONBLOCK);
    setsid();
    setitimer(ITIMER_REAL, &limit, NULL);
    attack(nr);
    _exit(0);
}

/* Whether this process still works as it should. */
static bool still_sane(void)
{
    char *p = map_anon(16);
    int fds[2], status;
    char c = 0;

    memset(p, 's', 16 * PAGE);
    DIE_UNLESS(pipe(fds) == 0);
    if (fork() == 0) {
        p[0] = 't';
        _exit(write(fds[1], p, 1) != 1);
    }
    DIE_UNLESS(wait(&status) > 0 && read(fds[0], &c, 1) == 1);
    close(fds[0]);
    close(fds[1]);
    munmap(p, 16 * PAGE);
    return c == 't' && status == 0;
}

static bool is_usual(int nr, int signo)
{
    if (signo == SIGKILL) /* it may have gone into strict mode, where it may do nothing more */
        return nr == SYS_seccomp || nr == SYS_prctl;
    return signo == SIGSEGV || signo == SIGALRM || signo == SIGBUS;
}

int main(void)
{
    int unusual = 0;

    for (int nr = 0; nr < CALLS; nr++) {
        int status;
        pid_t pid;

        if (skipped(nr))
            continue;
        pid = fork();
        if (pid == 0)
            in_sandbox(nr);
        DIE_UNLESS(pid > 0);
        while (waitpid(pid, &status, __WALL) != pid)
            ;
        if (WIFSIGNALED(status) && !is_usual(nr, WTERMSIG(status)))
            unusual++;
        if (nr % 50 == 0)
            printf("up to %d: %s\n", nr, still_sane() ? "sane" : "insane");
    }
    printf("alive; died in an unusual way: %d\n", unusual);
    return 0;
}
