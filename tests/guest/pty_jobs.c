/* Pseudo-terminals: sessions, foreground and background, window changes, hang-up by either side. */
#include "pty.h"

static int master, slave;
static volatile sig_atomic_t seen[NSIG];

static void note(int signo)
{
    seen[signo]++;
}

static void watch(int signo)
{
    struct sigaction act = {.sa_handler = note};

    sigaction(signo, &act, NULL);
    seen[signo] = 0;
}

/* Waits for the other side's word, up to two seconds. */
static bool await_signal(int signo)
{
    for (int i = 0; i < 200 && !seen[signo]; i++)
        usleep(10000);
    return seen[signo];
}

static int ready[2];

static void tell(void)
{
    DIE_UNLESS(write(ready[1], "r", 1) == 1);
}

static void await_ready(void)
{
    char c;

    DIE_UNLESS(read(ready[0], &c, 1) == 1);
}

/* In a child that leads a new session with the slave as its terminal. */
static pid_t session(void (*body)(void))
{
    pid_t pid;

    open_pair(&master, &slave);
    DIE_UNLESS(pipe(ready) == 0);
    pid = fork();
    if (pid == 0) {
        signal(SIGHUP, SIG_DFL);
        setsid();
        DIE_UNLESS(ioctl(slave, TIOCSCTTY, 0) == 0);
        close(master);
        body();
        _exit(0);
    }
    DIE_UNLESS(pid > 0);
    return pid;
}

static void finish(const char *what, pid_t pid)
{
    int status;

    DIE_UNLESS(waitpid(pid, &status, 0) == pid);
    print_status(what, status);
    close(ready[0]);
    close(ready[1]);
}

static void close_both(void)
{
    close(slave);
    close(master);
}

/* The fields of /proc/self/stat after the name: [4] is tty_nr, [5] tpgid. */
static void stat_fields(long *tty, long *group)
{
    char text[600] = "", *at;
    int fd = open("/proc/self/stat", O_RDONLY);

    read(fd, text, sizeof(text) - 1);
    close(fd);
    at = strrchr(text, ')');
    DIE_UNLESS(at && sscanf(at, ") %*c %*d %*d %*d %ld %ld", tty, group) == 2);
}

/* ---- Having a terminal ---- */

static void own_terminal(void)
{
    long tty, group;
    int fd, number;
    struct stat st;

    fstat(slave, &st);
    stat_fields(&tty, &group);
    printf("stat: device %d, group is ours %d\n", tty == (long)st.st_rdev, group == getpgrp());
    SHOW(tcgetpgrp(slave) == getpgrp());
    SHOW(tcgetsid(slave) == getsid(0));
    fd = open("/dev/tty", O_RDWR);
    DIE_UNLESS(fd >= 0);
    printf("through /dev/tty: %ld\n", (long)write(fd, "hello", 5));
    SHOW(ioctl(fd, TIOCGPTN, &number));
    SHOW(ioctl(slave, TIOCSCTTY, 0));
    SHOW(setsid());
    printf("ctermid %s\n", ctermid(NULL));
    tell();
    SHOW(ioctl(fd, TIOCNOTTY));
    SHOW(open("/dev/tty", O_RDWR));
    stat_fields(&tty, &group);
    printf("stat: %ld %ld\n", tty, group);
    SHOW(tcgetpgrp(slave));
    SHOW(ioctl(slave, TIOCNOTTY));
    /* and by opening it */
    close(fd);
    fd = open(ttyname(slave), O_WRONLY);
    SHOW(open("/dev/tty", O_RDWR));
    close(fd);
    fd = open(ttyname(slave), O_RDWR | O_NOCTTY);
    SHOW(open("/dev/tty", O_RDWR));
    close(fd);
    fd = open(ttyname(slave), O_RDWR);
    fd = open("/dev/tty", O_RDWR);
    printf("by opening it: %d\n", fd >= 0);
    SHOW(tcgetpgrp(fd) == getpgrp());
}

static void having_one(void)
{
    pid_t pid, group = -1, sid = -1;

    signal(SIGHUP, SIG_IGN);
    pid = session(own_terminal);
    await_ready();
    show_read("master reads", master);
    finish("owner", pid);
    SHOW(ioctl(master, TIOCGPGRP, &group));
    printf("foreground group %d\n", (int)group);
    SHOW(ioctl(master, TIOCGSID, &sid));
    SHOW(ioctl(master, TIOCNOTTY));
    SHOW(tcgetpgrp(slave));
    SHOW(tcgetsid(slave));
    SHOW(tcsetpgrp(slave, getpgrp()));
    close_both();
}

static void thief(void)
{
    int other = open("/dev/ptmx", O_RDWR | O_NOCTTY), peer;

    unlock(other);
    peer = open(slave_name(other), O_RDWR | O_NOCTTY);
    SHOW(ioctl(peer, TIOCSCTTY, 0));
    SHOW(ioctl(slave, TIOCNOTTY));
    SHOW(ioctl(peer, TIOCSCTTY, 0));
    if (fork() == 0) {
        SHOW(ioctl(slave, TIOCSCTTY, 0));
        setsid();
        SHOW(ioctl(peer, TIOCSCTTY, 0));
        SHOW(ioctl(peer, TIOCSCTTY, 1));
        SHOW(tcgetsid(peer) == getsid(0));
        _exit(0);
    }
    wait(NULL);
    SHOW(tcgetsid(peer));
    SHOW(open("/dev/tty", O_RDWR));
}

/* ---- Foreground and background ---- */

static void background(void)
{
    int status;
    char c;
    struct termios t;
    pid_t pid = fork();

    if (pid == 0) {
        setpgid(0, 0);
        write(slave, "background writes\n", 18);
        read(slave, &c, 1);
        printf("read in the foreground: %c\n", c);
        _exit(3);
    }
    DIE_UNLESS(waitpid(pid, &status, WUNTRACED) == pid);
    print_status("background read", status);
    SHOW(tcsetpgrp(slave, pid));
    SHOW(tcgetpgrp(slave) == pid);
    tell();
    kill(pid, SIGCONT);
    DIE_UNLESS(waitpid(pid, &status, WUNTRACED) == pid);
    print_status("then", status);

    tcgetattr(slave, &t);
    pid = fork();
    if (pid == 0) {
        tcsetattr(slave, TCSANOW, &t);
        _exit(4);
    }
    DIE_UNLESS(waitpid(pid, &status, WUNTRACED) == pid);
    print_status("background tcsetattr", status);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    signal(SIGTTOU, SIG_IGN);
    SHOW(tcsetattr(slave, TCSANOW, &t));
    SHOW(tcsetpgrp(slave, getpgrp()));
    signal(SIGTTOU, SIG_DFL);
    t.c_lflag |= TOSTOP;
    SHOW(tcsetattr(slave, TCSANOW, &t));
    pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        write(slave, "stopped first\n", 14);
        _exit(5);
    }
    DIE_UNLESS(waitpid(pid, &status, WUNTRACED) == pid);
    print_status("background write with TOSTOP", status);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    SHOW(tcsetpgrp(slave, 999999));
    SHOW(tcsetpgrp(slave, -5));
    SHOW(tcsetpgrp(slave, getppid()));
    signal(SIGTTIN, SIG_IGN);
    pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        SHOW(read(slave, &c, 1));
        _exit(6);
    }
    waitpid(pid, &status, 0);
    print_status("background read, signal ignored", status);
}

/* ---- Keys and sizes ---- */

static void keys(void)
{
    watch(SIGINT);
    watch(SIGQUIT);
    watch(SIGTSTP);
    watch(SIGWINCH);
    tell();
    printf("interrupt %d\n", await_signal(SIGINT));
    tell();
    printf("quit %d\n", await_signal(SIGQUIT));
    tell();
    printf("suspend %d\n", await_signal(SIGTSTP));
    tell();
    printf("window %d\n", await_signal(SIGWINCH));
    tell();
    printf("window of this side %d\n", await_signal(SIGWINCH));
    seen[SIGWINCH] = seen[SIGINT] = 0;
    tell();
    printf("the same size %d\n", (int)seen[SIGWINCH]);
    printf("sent by the master %d\n", await_signal(SIGINT));
}

static void key_presses(void)
{
    struct winsize w = {30, 100, 0, 0};
    pid_t pid = session(keys);

    await_ready();
    write(master, "\3", 1);
    await_ready();
    write(master, "\34", 1);
    await_ready();
    write(master, "\32", 1);
    await_ready();
    ioctl(master, TIOCSWINSZ, &w);
    await_ready();
    w.ws_row++;
    ioctl(slave, TIOCSWINSZ, &w);
    await_ready();
    ioctl(master, TIOCSWINSZ, &w);
    ioctl(master, TIOCSIG, SIGINT);
    finish("keys", pid);
    close_both();
}

/* ---- Ends ---- */

static void leader_waits(void)
{
    watch(SIGHUP);
    watch(SIGCONT);
    if (fork() == 0) {
        setpgid(0, 0);
        signal(SIGHUP, SIG_DFL);
        tell();
        usleep(3000000);
        _exit(9);
    }
    usleep(50000);
    tell();
    printf("hung up %d\n", await_signal(SIGHUP));
    printf("continued %d\n", await_signal(SIGCONT));
    SHOW(open("/dev/tty", O_RDWR));
    SHOW(write(slave, "x", 1));
}

/* A foreground group beside the leader. */
static void group_waits(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        setpgid(0, 0);
        watch(SIGHUP);
        tell();
        printf("foreground hung up %d\n", await_signal(SIGHUP));
        usleep(200000); /* the leader has not ended yet */
        SHOW(write(slave, "still there\n", 12));
        SHOW(open("/dev/tty", O_RDWR));
        tell();
        _exit(0);
    }
    setpgid(pid, pid);
    signal(SIGTTOU, SIG_IGN);
    DIE_UNLESS(tcsetpgrp(slave, pid) == 0);
    await_ready();
}

static void group_master_closes(void)
{
    pid_t pid = fork();
    int c;

    if (pid == 0) {
        setpgid(0, 0);
        watch(SIGHUP);
        tell();
        c = await_signal(SIGHUP);
        usleep(200000);
        printf("foreground told %d\n", c);
        tell();
        _exit(0);
    }
    setpgid(pid, pid);
    signal(SIGTTOU, SIG_IGN);
    DIE_UNLESS(tcsetpgrp(slave, pid) == 0);
    watch(SIGHUP);
    tell();
    printf("leader told %d\n", await_signal(SIGHUP));
    usleep(100000);
}

static void ends(void)
{
    pid_t pid = session(leader_waits);

    await_ready();
    await_ready();
    close(master);
    finish("leader", pid);
    close(slave);

    /* The leader's end leaves the terminal usable. */
    pid = session(group_waits);
    DIE_UNLESS(waitpid(pid, NULL, 0) == pid);
    await_ready();
    show_read("master reads", master);
    usleep(100000);
    close_both();

    /* The master's end tells the leader; the leader's end tells the foreground. */
    pid = session(group_master_closes);
    await_ready();
    await_ready();
    close(master);
    DIE_UNLESS(waitpid(pid, NULL, 0) == pid);
    printf("the leader ended\n");
    await_ready();
    close(slave);
}

static void vhangup_body(void)
{
    char c;

    watch(SIGHUP);
    SHOW(vhangup());
    printf("told %d\n", await_signal(SIGHUP));
    SHOW(read(slave, &c, 1));
    SHOW(write(slave, &c, 1));
    SHOW(open("/dev/tty", O_RDWR));
    tell();
}

static void vhangups(void)
{
    pid_t pid = session(vhangup_body);
    struct termios t;

    await_ready();
    show_poll("master", master);
    finish("who hung up", pid);
    SHOW(tcgetattr(slave, &t));
    close(slave);
    slave = open(slave_name(master), O_RDWR | O_NOCTTY);
    SHOW(tcgetattr(slave, &t));
    SHOW(write(slave, "anew", 4));
    show_read("opened again", master);
    close_both();
}

int main(void)
{
    signal(SIGHUP, SIG_IGN);
    having_one();
    finish("thief", session(thief));
    close_both();
    pid_t pid = session(background);
    await_ready();
    write(master, "k\n", 2);
    finish("background", pid);
    close_both();
    key_presses();
    ends();
    vhangups();
    return 0;
}
