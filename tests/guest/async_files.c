/* Signals about files: F_SETOWN and kin, F_SETSIG, O_ASYNC on pipes, F_NOTIFY on directories. */
#include "guest.h"
#include <sys/ioctl.h>

static volatile int count, last_code, last_band, last_fd, last_signo;

static void on_signal(int signo, siginfo_t *info, void *context)
{
    (void)context;
    count++;
    last_signo = signo;
    last_code = info->si_code;
    last_band = (int)info->si_band;
    last_fd = info->si_fd;
}

static void show(const char *what)
{
    printf("%s: %d", what, count);
    if (count && last_code > 0 && last_code < 10)
        printf(", signal %d code %d band %x fd %d", last_signo, last_code, last_band, last_fd);
    else if (count)
        printf(", signal %d code %d", last_signo, last_code);
    printf("\n");
    count = 0;
}

static int get_ex(int fd)
{
    struct f_owner_ex ex = {-1, -1};
    int r = fcntl(fd, F_GETOWN_EX, &ex);

    printf("owner: %d, type %d, %s\n", r, ex.type,
           ex.pid == getpid() ? "own"
           : ex.pid           ? "other"
                              : "0");
    return 0;
}

static int set_ex(int fd, int type, int pid)
{
    struct f_owner_ex ex = {type, pid};

    return fcntl(fd, F_SETOWN_EX, &ex);
}

static void owners(void)
{
    int p[2], status;
    pid_t pid;

    DIE_UNLESS(pipe(p) == 0);
    get_ex(p[0]);
    SHOW(fcntl(p[0], F_GETOWN));
    SHOW(fcntl(p[0], F_SETOWN, getpid()));
    get_ex(p[0]);
    SHOW(fcntl(p[0], F_GETOWN) == getpid());
    SHOW(set_ex(p[0], F_OWNER_TID, getpid()));
    get_ex(p[0]);
    SHOW(set_ex(p[0], F_OWNER_PGRP, getpgrp()));
    SHOW(syscall(SYS_fcntl64, p[0], F_GETOWN, 0) == -getpgrp() || errno == getpgrp());
    SHOW(set_ex(p[0], 3, getpid()));
    SHOW(set_ex(p[0], F_OWNER_PID, 31999));
    SHOW(set_ex(p[0], F_OWNER_PID, -5));
    SHOW(fcntl(p[0], F_SETOWN, 31999));
    SHOW(fcntl(p[0], F_SETOWN, -31999));
    SHOW(fcntl(p[0], F_SETOWN, INT32_MIN));
    SHOW(set_ex(p[0], F_OWNER_PID, 0));
    get_ex(p[0]);
    pid = fork();
    if (pid == 0)
        _exit(0);
    SHOW(fcntl(p[0], F_SETOWN, pid));
    SHOW(fcntl(p[0], F_GETOWN) == pid);
    waitpid(pid, &status, 0);
    SHOW(fcntl(p[0], F_GETOWN));
    SHOW(fcntl(p[0], F_GETSIG));
    SHOW(fcntl(p[0], F_SETSIG, SIGRTMIN + 1));
    SHOW(fcntl(p[0], F_GETSIG) == SIGRTMIN + 1);
    SHOW(fcntl(p[0], F_SETSIG, 65));
    SHOW(fcntl(p[0], F_SETSIG, -1));
    SHOW(fcntl(p[0], F_SETSIG, 0));
    SHOW(fcntl(p[1], F_GETSIG));
    close(p[0]);
    close(p[1]);
}

static void pipes(void)
{
    int p[2], on = 1;
    char c, full[65536] = "";

    DIE_UNLESS(pipe2(p, O_NONBLOCK) == 0);
    fcntl(p[0], F_SETOWN, getpid());
    write(p[1], "a", 1);
    show("not asked");
    SHOW(fcntl(p[0], F_SETFL, O_NONBLOCK | O_ASYNC));
    SHOW(fcntl(p[0], F_GETFL) & O_ASYNC);
    write(p[1], "a", 1);
    show("written");
    SHOW(fcntl(p[0], F_SETSIG, SIGUSR1));
    write(p[1], "a", 1);
    show("a signal of choice");
    SHOW(fcntl(p[0], F_SETSIG, SIGIO));
    write(p[1], "a", 1);
    show("SIGIO by choice");
    SHOW(ioctl(p[0], FIOASYNC, &(int){0}));
    SHOW(fcntl(p[0], F_GETFL) & O_ASYNC);
    write(p[1], "a", 1);
    show("no more");
    while (read(p[0], &c, 1) == 1)
        ;
    fcntl(p[1], F_SETOWN, getpid());
    SHOW(fcntl(p[1], F_SETSIG, SIGUSR1));
    SHOW(ioctl(p[1], FIOASYNC, &on));
    write(p[1], full, sizeof(full));
    show("full");
    read(p[0], full, sizeof(full));
    show("room again");
    SHOW(ioctl(open("/dev/null", O_RDWR), FIOASYNC, &on));
    SHOW(fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_ASYNC));
    SHOW(ioctl(p[0], FIOASYNC, (void *)8));
    close(p[0]);
    close(p[1]);
}

static void directory(void)
{
    int fd, other;

    mkdir("d", 0755);
    fd = open("d", O_RDONLY);
    other = open("/dev/null", O_RDONLY);
    SHOW(fcntl(fd, F_NOTIFY, DN_CREATE | DN_DELETE));
    get_ex(fd);
    close(open("d/a", O_CREAT | O_WRONLY, 0644));
    show("create");
    unlink("d/a");
    show("once");
    SHOW(fcntl(fd, F_SETSIG, SIGUSR2));
    SHOW(fcntl(fd, F_NOTIFY, DN_CREATE | DN_DELETE | DN_RENAME | DN_MULTISHOT));
    close(open("d/a", O_CREAT | O_WRONLY, 0644));
    show("create");
    rename("d/a", "d/b");
    show("rename");
    chmod("d/b", 0600);
    show("not asked for");
    SHOW(fcntl(fd, F_NOTIFY, DN_ATTRIB | DN_MODIFY | DN_ACCESS | DN_MULTISHOT));
    chmod("d/b", 0644);
    show("attributes");
    truncate("d/b", 5);
    show("modify");
    unlink("d/b");
    show("delete still");
    SHOW(fcntl(fd, F_NOTIFY, 0));
    close(open("d/a", O_CREAT | O_WRONLY, 0644));
    show("taken back");
    SHOW(fcntl(fd, F_NOTIFY, DN_DELETE | DN_MULTISHOT));
    close(dup(fd));
    unlink("d/a");
    show("a copy was closed");
    SHOW(fcntl(other, F_NOTIFY, DN_CREATE));
    SHOW(fcntl(77, F_NOTIFY, DN_CREATE));
    close(fd);
    rmdir("d");
    show("end");
}

int main(void)
{
    struct sigaction act = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};

    sigaction(SIGIO, &act, NULL);
    sigaction(SIGUSR1, &act, NULL);
    sigaction(SIGUSR2, &act, NULL);
    owners();
    pipes();
    directory();
    return 0;
}
