/*
 * Process 1: mounts what every program expects, keeps a shell on each console (on tty2 and on when
 * somebody switches there with Alt and a function key), reaps orphans, and
 * takes the machine down when asked by signal as BusyBox's init does: SIGTERM reboots, SIGUSR1
 * halts, SIGUSR2 powers off, SIGINT (Ctrl-Alt-Del) reboots.
 *
 * All these signals are blocked except while waiting for one, so nothing is missed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "user/shared/window.h"

#define KDSIGACCEPT 0x4b4e /* send me this signal when a terminal without a session is shown */
#define VT_GETSTATE 0x5603

struct terminal {
    const char *device;
    pid_t shell;    /* session leader on this terminal, or 0 */
    time_t started; /* when, to slow down a shell that dies at once */
};

static struct terminal terminals[] = {{"/dev/ttyS0", 0, 0}, {"/dev/tty1", 0, 0}};
static struct terminal on_demand[] = {
    {"/dev/tty2", 0, 0}, {"/dev/tty3", 0, 0}, {"/dev/tty4", 0, 0}};
static struct terminal fallback = {"/dev/console", 0, 0};
static const int shutdown_signals[] = {SIGTERM, SIGINT, SIGUSR1, SIGUSR2};
static volatile int asked_to_stop; /* the signal */
static bool own_programs;          /* the system's shell is made for a later processor */
static volatile int switched;      /* to a terminal that has no shell */

static void on_signal(int signo)
{
    if (signo == SIGWINCH)
        switched = 1;
    else if (signo != SIGCHLD)
        asked_to_stop = signo;
}

static void catch_signals(void)
{
    struct sigaction act = {.sa_handler = on_signal};
    sigset_t blocked;

    sigemptyset(&blocked);
    sigaddset(&blocked, SIGCHLD);
    sigaction(SIGCHLD, &act, NULL);
    sigaddset(&blocked, SIGWINCH);
    sigaction(SIGWINCH, &act, NULL);
    for (size_t i = 0; i < sizeof(shutdown_signals) / sizeof(*shutdown_signals); i++) {
        sigaddset(&blocked, shutdown_signals[i]);
        sigaction(shutdown_signals[i], &act, NULL);
    }
    sigprocmask(SIG_SETMASK, &blocked, NULL);
    reboot(RB_DISABLE_CAD);
}

static void mount_one(const char *type, const char *where, const char *options)
{
    mkdir(where, 0755);
    if (mount(type, where, type, 0, options) < 0 && errno != EBUSY)
        fprintf(stderr, "init: cannot mount %s on %s: %s\n", type, where, strerror(errno));
}

static void set_hostname(void)
{
    char name[65] = "faultline";
    FILE *f = fopen("/etc/hostname", "r");

    if (f) {
        fgets(name, sizeof(name), f);
        fclose(f);
    }
    name[strcspn(name, "\n")] = '\0';
    sethostname(name, strlen(name));
}

static void set_environment(void)
{
    setenv("PATH", "/sbin:/bin:/usr/sbin:/usr/bin:/usr/local/bin", 0);
    setenv("HOME", "/root", 1);
    setenv("TERM", "linux", 0);
    setenv("SHELL", "/bin/sh", 1);
    setenv("USER", "root", 1);
}

/* In the child: makes the terminal the standard files and the controlling terminal. */
static void take_terminal(const char *device)
{
    int fd;

    setsid();
    fd = open(device, O_RDWR);
    if (fd < 0)
        _exit(1);
    ioctl(fd, TIOCSCTTY, 1);
    for (int i = 0; i < 3; i++)
        dup2(fd, i);
    if (fd > 2)
        close(fd);
}

/* Of a serial line nobody knows; a terminal that is there answers at once. */
static void learn_size(void)
{
    struct winsize w;

    if (ioctl(0, TIOCGWINSZ, &w) == 0 && w.ws_row == 0)
        window_ask(0, 200);
}

static void greet(void)
{
    char text[1024];
    int fd = open("/etc/motd", O_RDONLY), n = fd < 0 ? -1 : read(fd, text, sizeof(text));

    if (n > 0)
        write(1, text, n);
    if (fd >= 0)
        close(fd);
}

/* In the child: as a program expects to find them. */
static void reset_signals(void)
{
    sigset_t none;

    for (int signo = 1; signo < 32; signo++)
        signal(signo, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void run_shell(const char *device)
{
    static const char *const shells[] = {"/usr/local/bin/sh", "/bin/sh", "/bin/busybox",
                                         "/usr/local/bin/sh"};
    static char *const args[] = {"-sh", NULL};

    take_terminal(device);
    learn_size();
    greet();
    reset_signals();
    if (chdir("/root") < 0)
        chdir("/");
    if (own_programs)
        setenv("PATH", "/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin", 1);
    for (size_t i = own_programs ? 0 : 1; i < sizeof(shells) / sizeof(*shells); i++)
        execv(shells[i], args);
    fprintf(stderr, "init: no shell on %s: %s\n", device, strerror(errno));
    sleep(5);
    _exit(127);
}

/* records=/dev/ttyS1 at boot: what changes in memory is told there, to whoever draws it. */
static void start_records(void)
{
    char *to = getenv("records");
    char *const args[] = {"memmap", "-s", to, NULL};

    if (!to || fork() != 0)
        return;
    reset_signals();
    setsid();
    execv("/bin/memmap", args);
    _exit(127);
}

static bool exists(const struct terminal *t)
{
    int fd = open(t->device, O_RDWR | O_NOCTTY | O_NONBLOCK);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void start_shell(struct terminal *t)
{
    bool died_at_once = t->started && time(NULL) - t->started < 2;

    if (!exists(t))
        return;
    t->started = time(NULL);
    t->shell = fork();
    if (t->shell == 0) {
        if (died_at_once)
            sleep(2);
        run_shell(t->device);
    }
    if (t->shell < 0)
        t->shell = 0;
}

static void start_shells(void)
{
    bool any = false;

    for (size_t i = 0; i < sizeof(terminals) / sizeof(*terminals); i++) {
        if (!terminals[i].shell)
            start_shell(&terminals[i]);
        any |= terminals[i].shell != 0;
    }
    if (!any && !fallback.shell)
        start_shell(&fallback);
}

static int screen_ioctl(unsigned long request, void *arg)
{
    int fd = open("/dev/tty0", O_RDWR | O_NOCTTY | O_NONBLOCK);
    int ret = fd < 0 ? -1 : ioctl(fd, request, arg);

    if (fd >= 0)
        close(fd);
    return ret;
}

/* Starts the shell of the terminal that shows, if that is one of those without. */
static void start_wanted_shell(void)
{
    unsigned short state[3]; /* number of the terminal, signal, those in use */

    if (!switched)
        return;
    switched = 0;
    if (screen_ioctl(VT_GETSTATE, state) < 0)
        return;
    unsigned i = state[0] - 2u;
    if (i < sizeof(on_demand) / sizeof(*on_demand) && !on_demand[i].shell)
        start_shell(&on_demand[i]);
}

/* BusyBox, as distributions build it, wants a 686: an older processor does not know all of its
 * instructions. */
static void note_death(int status)
{
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGILL || own_programs)
        return;
    own_programs = access("/usr/local/bin/sh", X_OK) == 0;
    for (size_t i = 0; i < sizeof(terminals) / sizeof(*terminals); i++)
        terminals[i].started = 0;
}

static void reap(void)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        note_death(status);
        for (size_t i = 0; i < sizeof(terminals) / sizeof(*terminals); i++)
            if (terminals[i].shell == pid)
                terminals[i].shell = 0;
        for (size_t i = 0; i < sizeof(on_demand) / sizeof(*on_demand); i++)
            if (on_demand[i].shell == pid)
                on_demand[i].shell = 0;
        if (fallback.shell == pid)
            fallback.shell = 0;
    }
}

/* Gives every process a second to end by itself, then none. */
static void end_processes(void)
{
    kill(-1, SIGTERM);
    kill(-1, SIGHUP);
    kill(-1, SIGCONT);
    for (int i = 0; i < 50 && waitpid(-1, NULL, WNOHANG) >= 0; i++)
        usleep(20000);
    kill(-1, SIGKILL);
    while (wait(NULL) > 0)
        ;
}

static void take_down(int signo)
{
    unsigned how = signo == SIGUSR1   ? RB_HALT_SYSTEM
                   : signo == SIGUSR2 ? RB_POWER_OFF
                                      : RB_AUTOBOOT;

    end_processes();
    sync();
    reboot(how);
}

int main(void)
{
    sigset_t none;

    if (getpid() != 1) {
        fprintf(stderr, "init: only process 1 can be init\n");
        return 1;
    }
    mount_one("proc", "/proc", NULL);
    mount_one("sysfs", "/sys", NULL);
    mount_one("devtmpfs", "/dev", NULL);
    mount_one("devpts", "/dev/pts", "gid=5,mode=620,ptmxmode=666");
    mount_one("tmpfs", "/dev/shm", NULL);
    mount_one("tmpfs", "/tmp", NULL);
    set_hostname();
    set_environment();
    catch_signals();
    start_records();
    unsetenv("records");
    screen_ioctl(KDSIGACCEPT, (void *)SIGWINCH);
    sigemptyset(&none);
    while (!asked_to_stop) {
        reap();
        start_shells();
        start_wanted_shell();
        sigsuspend(&none);
    }
    take_down(asked_to_stop);
    return 1;
}
