/* pidfds: opened, made by clone, polled, waited for, signalled by, copied from; clone3. */
#include "guest.h"
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#define CLEAR_SIGHAND 0x100000000ull

struct args3 {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    uint64_t set_tid, set_tid_size, cgroup;
};

static int pidfd_open(pid_t pid, unsigned flags)
{
    return (int)syscall(SYS_pidfd_open, pid, flags);
}

static int send_by(int fd, int signo, siginfo_t *info, unsigned flags)
{
    return (int)syscall(SYS_pidfd_send_signal, fd, signo, info, flags);
}

static int ready(int fd, int timeout)
{
    struct pollfd p = {fd, POLLIN, 0};

    return poll(&p, 1, timeout) == 1 ? p.revents & POLLIN : 0;
}

static pid_t sleeping_child(void)
{
    pid_t pid = fork();

    if (pid == 0)
        for (;;)
            pause();
    return pid;
}

static void opened(void)
{
    pid_t pid = sleeping_child();
    int fd = pidfd_open(pid, 0), ep = epoll_create1(0);
    struct epoll_event ev = {.events = EPOLLIN}, got;
    siginfo_t info = {0};
    char byte;

    SHOW(fcntl(fd, F_GETFD));
    SHOW(read(fd, &byte, 1));
    SHOW(write(fd, &byte, 1));
    SHOW(ready(fd, 0));
    SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
    SHOW(waitid(P_PIDFD, fd, &info, WEXITED | WNOHANG));
    SHOW(send_by(fd, 0, NULL, 0));
    SHOW(send_by(fd, SIGTERM, NULL, 0));
    SHOW(ready(fd, 5000));
    SHOW(epoll_wait(ep, &got, 1, 0));
    SHOW(send_by(fd, SIGTERM, NULL, 0));
    SHOW(waitid(P_PIDFD, fd, &info, WEXITED | WNOWAIT));
    SHOW(waitid(P_PIDFD, fd, &info, WEXITED));
    printf("%d %d %s\n", info.si_code, info.si_status, info.si_pid == pid ? "its pid" : "another");
    SHOW(waitid(P_PIDFD, fd, &info, WEXITED));
    SHOW(send_by(fd, SIGTERM, NULL, 0));
    SHOW(ready(fd, 0) != 0);
    SHOW(syscall(SYS_pidfd_getfd, fd, 0, 0));
    close(fd);
    close(ep);
}

static void nonblock(void)
{
    pid_t pid = sleeping_child();
    int fd = pidfd_open(pid, O_NONBLOCK);
    siginfo_t info;

    SHOW(waitid(P_PIDFD, fd, &info, WEXITED));
    SHOW(waitid(P_PIDFD, fd, &info, WEXITED | WNOHANG));
    kill(pid, SIGKILL);
    ready(fd, 5000);
    SHOW(waitid(P_PIDFD, fd, &info, WEXITED));
    close(fd);
}

static void errors(void)
{
    int fd = pidfd_open(getpid(), 0);
    siginfo_t info = {.si_signo = SIGUSR1, .si_code = SI_USER};

    SHOW(pidfd_open(0, 0));
    SHOW(pidfd_open(-1, 0));
    SHOW(pidfd_open(getpid(), 1));
    SHOW(pidfd_open(31999, 0));
    SHOW(send_by(fd, 65, NULL, 0));
    SHOW(send_by(fd, 0, NULL, 1));
    SHOW(send_by(0, 0, NULL, 0));
    SHOW(send_by(77, 0, NULL, 0));
    SHOW(send_by(fd, SIGUSR2, &info, 0));
    SHOW(send_by(fd, SIGUSR1, (siginfo_t *)8, 0));
    SHOW(waitid(P_PIDFD, 0, &info, WEXITED));
    SHOW(waitid(P_PIDFD, -1, &info, WEXITED));
    SHOW(waitid(P_PIDFD, fd, &info, WEXITED));
    SHOW(waitid(4, fd, &info, WEXITED));
    SHOW(syscall(SYS_pidfd_getfd, 0, 0, 0));
    SHOW(syscall(SYS_pidfd_getfd, fd, 77, 0));
    SHOW(syscall(SYS_pidfd_getfd, fd, -1, 0));
    SHOW(syscall(SYS_pidfd_getfd, fd, 0, 1));
    SHOW(send_by(open("/proc/self", O_DIRECTORY), 0, NULL, 0));
    SHOW(send_by(open("/proc/self/task", O_DIRECTORY), 0, NULL, 0));
    close(fd);
}

static void claims(void)
{
    pid_t pid = sleeping_child();
    int fd = pidfd_open(pid, 0), own = pidfd_open(getpid(), 0);
    siginfo_t info = {.si_signo = SIGUSR1, .si_code = SI_USER};

    SHOW(send_by(fd, SIGUSR1, &info, 0));
    signal(SIGUSR1, SIG_IGN);
    SHOW(send_by(own, SIGUSR1, &info, 0));
    info.si_code = SI_QUEUE;
    SHOW(send_by(fd, SIGUSR1, &info, 0));
    waitpid(pid, NULL, 0);
    signal(SIGUSR1, SIG_DFL);
    close(fd);
    close(own);
}

static void copied(void)
{
    int fds[2], fd, copy;
    pid_t pid;
    char c = 0;

    DIE_UNLESS(pipe(fds) == 0);
    pid = fork();
    if (pid == 0) {
        dup2(fds[1], 40);
        write(40, "!", 1);
        for (;;)
            pause();
    }
    read(fds[0], &c, 1);
    fd = pidfd_open(pid, 0);
    copy = (int)syscall(SYS_pidfd_getfd, fd, 40, 0);
    SHOW(fcntl(copy, F_GETFD));
    write(copy, "x", 1);
    SHOW(read(fds[0], &c, 1));
    SHOW(c);
    if (fork() == 0) {
        DIE_UNLESS(setresuid(1000, 1000, 1000) == 0);
        SHOW(syscall(SYS_pidfd_getfd, fd, 40, 0));
        SHOW(send_by(fd, SIGTERM, NULL, 0));
        SHOW(send_by(fd, 0, NULL, 0));
        _exit(0);
    }
    wait(NULL);
    kill(pid, SIGKILL);
    ready(fd, 5000);
    SHOW(syscall(SYS_pidfd_getfd, fd, 40, 0));
    waitpid(pid, NULL, 0);
    close(fd);
}

static void cloned(void)
{
    int fd = -1, tid = -1;
    long pid = syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &fd, 0, 0);
    siginfo_t info;

    if (pid == 0)
        _exit(7);
    printf("a descriptor: %d, closed on exec: %d\n", fd > 2, fcntl(fd, F_GETFD));
    SHOW(waitid(P_PIDFD, fd, &info, WEXITED));
    printf("%s, status %d\n", info.si_pid == pid ? "its pid" : "another", info.si_status);
    close(fd);
    SHOW(syscall(SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, 0, &fd, 0, 0));
    SHOW(syscall(SYS_clone, CLONE_PIDFD | CLONE_DETACHED | SIGCHLD, 0, &fd, 0, 0));
    SHOW(syscall(SYS_clone, CLONE_PIDFD | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, 0, &fd, 0, 0));
    SHOW(syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, 8, 0, 0));
    SHOW(wait(NULL));
    (void)tid;
}

static long clone3(struct args3 *a, size_t size)
{
    return syscall(SYS_clone3, a, size);
}

static void refused3(const char *what, struct args3 a, size_t size)
{
    long r = clone3(&a, size);

    if (r == 0)
        _exit(0);
    printf("%s: %s\n", what, r < 0 ? error_name(errno) : "a child");
    if (r > 0)
        waitpid((pid_t)r, NULL, __WALL);
}

static void handler(int signo)
{
    (void)signo;
    printf("handled\n");
}

static void cloned3(void)
{
    static char stack[32768];
    struct args3 longer[2] = {{.exit_signal = SIGCHLD}, {0}};
    pid_t chosen = 4321;
    int fd = -1, status;
    long pid;

    refused3("plain", (struct args3){.exit_signal = SIGCHLD}, 64);
    refused3("short", (struct args3){.exit_signal = SIGCHLD}, 63);
    refused3("a size of a later version", longer[0], sizeof(longer[0]));
    SHOW(clone3(longer, 5000));
    SHOW(clone3((void *)8, 64));
    longer[1].flags = 1;
    SHOW(clone3(longer, sizeof(longer)));
    refused3("signal 65", (struct args3){.exit_signal = 65}, 88);
    refused3("exit signal over a byte", (struct args3){.exit_signal = 0x111}, 88);
    refused3("signal in the flags", (struct args3){.flags = SIGCHLD}, 88);
    refused3("unknown flag", (struct args3){.flags = 1ull << 40}, 88);
    refused3("detached", (struct args3){.flags = CLONE_DETACHED}, 88);
    refused3("stack without size", (struct args3){.stack = (uintptr_t)stack}, 88);
    refused3("size without stack", (struct args3){.stack_size = 100}, 88);
    refused3("parent with signal", (struct args3){.flags = CLONE_PARENT, .exit_signal = 1}, 88);
    refused3("both handlers", (struct args3){.flags = CLEAR_SIGHAND | CLONE_SIGHAND | CLONE_VM},
             88);
    refused3("set_tid without size", (struct args3){.set_tid = (uintptr_t)&chosen}, 88);
    refused3("set_tid twice", (struct args3){.set_tid = (uintptr_t)&chosen, .set_tid_size = 33},
             88);
    refused3("thread with a pidfd",
             (struct args3){.flags = CLONE_PIDFD | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM}, 88);

    struct args3 with_pid = {.flags = CLONE_PIDFD,
                             .exit_signal = SIGCHLD,
                             .pidfd = (uintptr_t)&fd,
                             .set_tid = (uintptr_t)&chosen,
                             .set_tid_size = 1};
    pid = clone3(&with_pid, 88);
    if (pid == 0) {
        SHOW(getpid());
        _exit(5);
    }
    ready(fd, 5000);
    SHOW(pid);
    refused3("taken", with_pid, 88);
    SHOW(waitpid(chosen, &status, 0));
    print_status("chosen", status);
    signal(SIGUSR1, handler);
    signal(SIGUSR2, SIG_IGN);
    struct args3 clear = {.flags = CLEAR_SIGHAND, .exit_signal = SIGCHLD};
    pid = clone3(&clear, 88);
    if (pid == 0) {
        raise(SIGUSR2);
        raise(SIGUSR1);
        _exit(0);
    }
    waitpid((pid_t)pid, &status, 0);
    print_status("handlers cleared", status);
    raise(SIGUSR1);
    if (fork() == 0) {
        DIE_UNLESS(setresuid(1000, 1000, 1000) == 0);
        refused3("an ordinary user chooses", with_pid, 88);
        _exit(0);
    }
    wait(NULL);
}

/* As the C library makes threads: with a stack of its own in the same space. */
static void on_own_stack(void)
{
    char *stack = map_anon(8);
    volatile int *shared = (volatile int *)map_anon(1);
    struct args3 a = {.flags = CLONE_VM | CLONE_VFORK,
                      .exit_signal = SIGCHLD,
                      .stack = (uintptr_t)stack,
                      .stack_size = 8 * PAGE};
    long pid;
    int status;

    __asm__ volatile("int $0x80\n test %%eax, %%eax\n jnz 1f\n movl %%esp, (%3)\n"
                     " movl $1, %%eax\n movl $9, %%ebx\n int $0x80\n 1:"
                     : "=a"(pid)
                     : "0"(SYS_clone3), "b"(&a), "S"(shared), "c"(sizeof(a))
                     : "memory");
    waitpid((pid_t)pid, &status, 0);
    print_status("on its own stack", status);
    printf("its top: %d\n", *shared == (int)(uintptr_t)(stack + 8 * PAGE));
}

int main(void)
{
    opened();
    nonblock();
    errors();
    claims();
    copied();
    cloned();
    cloned3();
    on_own_stack();
    return 0;
}
