/*
 * F_SETLEASE and F_GETLEASE: who may have one, what breaks it, how its holder is told, who waits.
 */
#include "guest.h"
#include "states.h"

#define NAME "leased"

static volatile int told, told_fd, told_code;

static void on_signal(int signo, siginfo_t *info, void *context)
{
    (void)context;
    told = signo;
    told_fd = info->si_fd;
    told_code = info->si_code;
}

static int lease(int flags, int type)
{
    int fd = open(NAME, flags | O_CREAT, 0644);

    DIE_UNLESS(fd >= 0);
    DIE_UNLESS(fcntl(fd, F_SETSIG, SIGRTMIN) == 0);
    DIE_UNLESS(fcntl(fd, F_SETLEASE, type) == 0);
    told = 0;
    return fd;
}

static void show_told(const char *what, int fd)
{
    if (!told)
        printf("%s: nothing is told\n", what);
    else
        printf("%s: told by %s, of its descriptor %d, code %d; lease %d\n", what,
               told == SIGIO ? "SIGIO" : "the signal", told_fd == fd, told_code,
               fcntl(fd, F_GETLEASE));
    told = 0;
}

/* ---- Setting ---- */

static void setting(void)
{
    int r = open(NAME, O_RDONLY | O_CREAT, 0644), w = open(NAME, O_RDWR), other,
        dir = open(".", O_RDONLY), null = open("/dev/null", O_RDONLY), pipes[2];

    printf("-- setting\n");
    DIE_UNLESS(pipe(pipes) == 0);
    SHOW(fcntl(r, F_GETLEASE));
    SHOW(fcntl(r, F_SETLEASE, F_UNLCK));
    SHOW(fcntl(r, F_SETLEASE, 7));
    SHOW(fcntl(r, F_SETLEASE, -1));
    SHOW(fcntl(dir, F_SETLEASE, F_RDLCK));
    SHOW(fcntl(null, F_SETLEASE, F_RDLCK));
    SHOW(fcntl(pipes[0], F_SETLEASE, F_RDLCK));
    SHOW(fcntl(r, F_SETLEASE, F_RDLCK)); /* it is open for writing */
    SHOW(fcntl(w, F_SETLEASE, F_RDLCK));
    SHOW(fcntl(w, F_SETLEASE, F_WRLCK)); /* there is a reader */
    close(r);
    SHOW(fcntl(w, F_SETLEASE, F_WRLCK));
    SHOW(fcntl(w, F_GETLEASE));
    SHOW(fcntl(w, F_SETLEASE, F_UNLCK));
    SHOW(fcntl(w, F_GETLEASE));
    close(w);
    r = open(NAME, O_RDONLY);
    SHOW(fcntl(r, F_SETLEASE, F_RDLCK));
    SHOW(fcntl(r, F_GETLEASE));
    SHOW(fcntl(r, F_SETLEASE, F_WRLCK)); /* nobody else has it open */
    SHOW(fcntl(r, F_GETLEASE));
    SHOW(fcntl(r, F_SETLEASE, F_RDLCK));
    other = open(NAME, O_RDONLY); /* breaks none to read */
    SHOW(other >= 0);
    SHOW(fcntl(other, F_GETLEASE));
    SHOW(fcntl(other, F_SETLEASE, F_RDLCK));
    SHOW(fcntl(other, F_SETLEASE, F_WRLCK));
    SHOW(fcntl(r, F_SETLEASE, F_WRLCK));
    close(other);
    other = dup(r);
    SHOW(fcntl(other, F_GETLEASE)); /* of the open file */
    close(r);
    SHOW(fcntl(other, F_GETLEASE));
    SHOW(fcntl(other, F_GETOWN) == getpid());
    close(other);
    close(dir);
    close(null);
    close(pipes[0]);
    close(pipes[1]);
}

static void as_user(void)
{
    int status;

    printf("-- another user\n");
    chmod(".", 0755);
    if (fork() == 0) {
        int fd;

        DIE_UNLESS(setgid(1000) == 0 && setuid(1000) == 0);
        fd = open(NAME, O_RDONLY);
        DIE_UNLESS(fd >= 0);
        SHOW(fcntl(fd, F_SETLEASE, F_RDLCK));
        SHOW(fcntl(fd, F_SETLEASE, F_UNLCK));
        _exit(0);
    }
    wait(&status);
}

/* ---- Breaking ---- */

static void without_waiting(void)
{
    int fd = lease(O_RDONLY, F_RDLCK), other;

    printf("-- without waiting\n");
    other = open(NAME, O_RDONLY | O_NONBLOCK);
    SHOW(other >= 0);
    show_told("a reader", fd);
    close(other);
    SHOW(open(NAME, O_WRONLY | O_NONBLOCK));
    show_told("a writer", fd);
    SHOW(open(NAME, O_RDWR | O_NONBLOCK));
    show_told("another", fd); /* once is enough */
    SHOW(fcntl(fd, F_SETLEASE, F_UNLCK));
    other = open(NAME, O_WRONLY | O_NONBLOCK);
    SHOW(other >= 0);
    close(other);
    close(fd);

    fd = lease(O_RDWR, F_WRLCK);
    SHOW(open(NAME, O_RDONLY | O_NONBLOCK));
    show_told("a reader", fd);
    SHOW(fcntl(fd, F_GETLEASE)); /* to be lowered to one to read */
    SHOW(open(NAME, O_WRONLY | O_NONBLOCK));
    show_told("then a writer", fd);
    SHOW(fcntl(fd, F_GETLEASE));
    close(fd);
    fd = open(NAME, O_RDONLY | O_NONBLOCK);
    SHOW(fd >= 0);
    close(fd);
}

/* The holder lowers his lease, and whoever waits goes on. */
static void waits(const char *what, int flags, int type, int open_flags, int becomes)
{
    int fd = lease(flags, type), status;
    pid_t pid;

    printf("-- %s\n", what);
    pid = fork();
    if (pid == 0) {
        close(fd);
        if (open_flags < 0)
            _exit(truncate(NAME, 5) ? 1 : 0);
        _exit(open(NAME, open_flags) < 0 ? errno : 0);
    }
    while (!told)
        usleep(1000);
    until_state(pid, 'S');
    show_told("told", fd);
    SHOW(waitpid(pid, NULL, WNOHANG));
    if (becomes < 0)
        close(fd);
    else
        SHOW(fcntl(fd, F_SETLEASE, becomes));
    waitpid(pid, &status, 0);
    print_status("the other", status);
    if (becomes >= 0) {
        SHOW(fcntl(fd, F_GETLEASE));
        close(fd);
    }
}

static void on_alarm(int signo)
{
    (void)signo;
}

/* Who waits may be interrupted; the lease is to be given up all the same. */
static void interrupted(void)
{
    int fd = lease(O_RDONLY, F_RDLCK), status;
    pid_t pid;

    printf("-- interrupted\n");
    pid = fork();
    if (pid == 0) {
        struct sigaction act = {.sa_handler = on_alarm};

        close(fd);
        sigaction(SIGUSR1, &act, NULL);
        _exit(open(NAME, O_WRONLY) < 0 ? errno : 0);
    }
    while (!told)
        usleep(1000);
    until_state(pid, 'S');
    kill(pid, SIGUSR1);
    waitpid(pid, &status, 0);
    print_status("the other", status);
    SHOW(fcntl(fd, F_GETLEASE));
    close(fd);
}

static void creating(void)
{
    int fd = lease(O_RDONLY, F_RDLCK);

    printf("-- creating over it\n");
    SHOW(open(NAME, O_CREAT | O_TRUNC | O_WRONLY | O_NONBLOCK, 0600));
    show_told("told", fd);
    SHOW(open(NAME, O_CREAT | O_EXCL | O_WRONLY | O_NONBLOCK, 0600));
    SHOW(unlink(NAME)); /* names are not its affair */
    show_told("unlink", fd);
    close(fd);
}

int main(void)
{
    struct sigaction act = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};

    sigaction(SIGRTMIN, &act, NULL);
    sigaction(SIGIO, &act, NULL);
    setting();
    as_user();
    without_waiting();
    waits("a writer waits for the end of a lease to read", O_RDONLY, F_RDLCK, O_WRONLY, F_UNLCK);
    waits("for its holder to close it", O_RDONLY, F_RDLCK, O_RDWR, -1);
    waits("a reader waits for one to write to be lowered", O_RDWR, F_WRLCK, O_RDONLY, F_UNLCK);
    waits("a holder that reads only lowers it", O_RDONLY, F_WRLCK, O_RDONLY, F_RDLCK);
    waits("a truncation waits", O_RDONLY, F_RDLCK, -1, F_UNLCK);
    interrupted();
    creating();
    return 0;
}
