/* Pseudo-terminals: packet mode, EXTPROC, flow control, flushes, TIOCSTI, TIOCCONS, bad memory. */
#include "pty.h"

#ifndef TIOCPKT_IOCTL
#define TIOCPKT_IOCTL 64
#endif
#ifndef EXTPROC
#define EXTPROC 0200000
#endif

static int master, slave;

static void change(int fd, tcflag_t iset, tcflag_t iclear, tcflag_t lset, tcflag_t lclear)
{
    struct termios t;

    DIE_UNLESS(tcgetattr(fd, &t) == 0);
    t.c_iflag = (t.c_iflag & ~iclear) | iset;
    t.c_lflag = (t.c_lflag & ~lclear) | lset;
    DIE_UNLESS(tcsetattr(fd, TCSANOW, &t) == 0);
}

static void put(int fd, const char *s)
{
    DIE_UNLESS(write(fd, s, strlen(s)) == (ssize_t)strlen(s));
}

static void settle(void)
{
    usleep(50000);
}

/* ---- Packets ---- */

static void packets(void)
{
    int one = 1, zero = 0, value = -1;
    char c;

    open_pair(&master, &slave);
    SHOW(ioctl(slave, TIOCPKT, &one));
    SHOW(ioctl(master, TIOCPKT, NULL));
    put(slave, "before");
    SHOW(ioctl(master, TIOCPKT, &one));
    SHOW(ioctl(master, TIOCGPKT, &value));
    printf("packets %d\n", value);
    show_read("data", master);
    put(slave, "abc");
    settle();
    SHOW(read(master, &c, 1));
    printf("first byte %d\n", c);
    show_read("the rest is data too", master);

    change(slave, 0, IXON, 0, 0);
    show_poll("no flow", master);
    show_read("no flow", master);
    change(slave, IXON, 0, 0, 0);
    show_read("flow", master);
    change(slave, 0, 0, 0, ECHO);
    show_poll("nothing of interest", master);
    SHOW(tcflow(slave, TCOOFF));
    show_read("stopped", master);
    SHOW(tcflow(slave, TCOON));
    show_read("started", master);
    SHOW(tcflow(slave, TCOOFF));
    SHOW(tcflow(slave, TCOON));
    show_read("stopped and started", master);
    SHOW(tcflush(slave, TCIFLUSH));
    show_read("input flushed", master);
    SHOW(tcflush(slave, TCOFLUSH));
    show_read("output flushed", master);
    SHOW(tcflush(slave, TCIOFLUSH));
    show_read("both", master);
    put(master, "\3");
    show_read("interrupt", master);
    put(slave, "data");
    change(slave, 0, IXON, 0, 0);
    settle();
    show_read("event first", master);
    show_read("then data", master);
    SHOW(ioctl(master, TIOCPKT, &zero));
    change(slave, IXON, 0, 0, 0);
    SHOW(ioctl(master, TIOCPKT, &one));
    show_poll("an event of before", master);
    change(slave, 0, 0, EXTPROC, 0);
    show_read("EXTPROC on", master);
    change(slave, 0, 0, ECHO, 0);
    show_read("EXTPROC is on", master);
    change(slave, 0, 0, 0, EXTPROC);
    show_read("EXTPROC off", master);
    close(slave);
    show_poll("closed", master);
    show_read("closed", master);
    close(master);
}

/* ---- The master edits ---- */

static void external(void)
{
    int n;

    open_pair(&master, &slave);
    change(slave, 0, 0, EXTPROC, 0);
    put(master, "a\3b\177c\r");
    show_read("nothing is done", slave);
    show_poll("no echo", master);
    put(master, "part");
    settle();
    SHOW(ioctl(slave, FIONREAD, &n));
    printf("readable %d\n", n);
    show_read("no line is waited for", slave);
    put(master, "\4");
    show_read("a lone end of file", slave);
    put(master, "x\4");
    show_read("not alone", slave);
    put(master, "kept");
    settle();
    change(slave, 0, 0, 0, EXTPROC);
    show_read("becomes a line", slave);
    SHOW(ioctl(master, TIOCSIG, SIGINT));
    SHOW(ioctl(master, TIOCSIG, SIGTERM));
    SHOW(ioctl(slave, TIOCSIG, SIGINT));
    close(slave);
    close(master);
}

/* ---- Flow control ---- */

static void flow(void)
{
    open_pair(&master, &slave);
    change(slave, 0, 0, 0, ECHO);
    put(master, "\23");
    settle();
    fcntl(slave, F_SETFL, O_NONBLOCK);
    show_poll("stopped", slave);
    SHOW(write(slave, "x", 1));
    put(master, "\21");
    settle();
    show_poll("started", slave);
    SHOW(write(slave, "y", 1));
    show_read("came", master);
    SHOW(tcflow(slave, TCOOFF));
    put(master, "\21");
    settle();
    SHOW(write(slave, "z", 1));
    SHOW(tcflow(slave, TCOON));
    SHOW(write(slave, "z", 1));
    show_read("came", master);
    change(slave, IXANY, 0, 0, 0);
    put(master, "\23");
    settle();
    put(master, "q");
    settle();
    SHOW(write(slave, "w", 1));
    show_read("any byte starts", master);
    put(master, "\23");
    settle();
    change(slave, 0, IXON, 0, 0);
    SHOW(write(slave, "v", 1));
    show_read("no flow control: started", master);
    SHOW(tcflow(slave, TCIOFF));
    show_read("asks to stop", master);
    SHOW(tcflow(slave, TCION));
    show_read("asks to go on", master);
    change(slave, IXON, 0, 0, 0);
    SHOW(tcflow(master, TCIOFF));
    settle();
    SHOW(write(slave, "u", 1));
    SHOW(tcflow(master, TCION));
    settle();
    SHOW(write(slave, "u", 1));
    show_read("came", master);
    fcntl(master, F_SETFL, O_NONBLOCK);
    SHOW(tcflow(master, TCOOFF));
    show_poll("master stopped", master);
    SHOW(write(master, "t", 1));
    SHOW(tcflow(master, TCOON));
    SHOW(write(master, "t\n", 2));
    fcntl(slave, F_SETFL, 0);
    show_read("came", slave);
    SHOW(tcflow(slave, 9));
    SHOW(tcflow(master, 9));
    close(slave);
    close(master);
}

/* ---- Flushes ---- */

static void flushes(void)
{
    int n;

    open_pair(&master, &slave);
    put(master, "line\npart");
    show_read("echo", master);
    SHOW(tcflush(slave, TCIFLUSH));
    SHOW(ioctl(slave, FIONREAD, &n));
    printf("readable %d\n", n);
    put(master, "more\n");
    show_read("echo", master);
    show_read("only the new", slave);
    put(slave, "out");
    settle();
    SHOW(tcflush(slave, TCOFLUSH));
    show_read("had arrived", master);
    put(slave, "gone");
    settle();
    SHOW(tcflush(master, TCIFLUSH));
    show_poll("gone", master);
    SHOW(tcflush(master, TCOFLUSH));
    SHOW(tcflush(master, 7));
    SHOW(tcflush(slave, 7));
    put(slave, "sent");
    settle();
    put(master, "typed");
    settle();
    put(master, "\3");
    show_read("signal", master);
    SHOW(ioctl(slave, FIONREAD, &n));
    printf("readable %d\n", n);
    change(slave, 0, 0, NOFLSH, 0);
    put(master, "kept\3\n");
    show_read("signal", master);
    show_read("line", slave);
    close(slave);
    close(master);
}

/* ---- Bytes that nobody typed ---- */

static void simulated(void)
{
    open_pair(&master, &slave);
    SHOW(ioctl(slave, TIOCSTI, "s"));
    SHOW(ioctl(slave, TIOCSTI, "\n"));
    show_read("echo", master);
    show_read("line", slave);
    SHOW(ioctl(master, TIOCSTI, "m"));
    show_read("as if written", master);
    SHOW(ioctl(slave, TIOCSTI, NULL));
    SHOW(ioctl(master, TIOCSTI, NULL));
    close(slave);
    close(master);
}

static void console(void)
{
    int fd = open("/dev/console", O_WRONLY | O_NOCTTY), reader;

    DIE_UNLESS(fd >= 0);
    open_pair(&master, &slave);
    SHOW(ioctl(master, TIOCCONS));
    reader = open(slave_name(master), O_RDONLY | O_NOCTTY);
    SHOW(ioctl(reader, TIOCCONS));
    SHOW(ioctl(slave, TIOCCONS));
    SHOW(ioctl(slave, TIOCCONS));
    SHOW(write(fd, "to the console\n", 15));
    show_read("came", master);
    SHOW(ioctl(fd, TIOCCONS));
    SHOW(ioctl(slave, TIOCCONS));
    close(slave);
    close(reader);
    SHOW(write(fd, "again\n", 6));
    show_read("still", master);
    close(master);
    open_pair(&master, &slave);
    SHOW(ioctl(slave, TIOCCONS));
    SHOW(ioctl(fd, TIOCCONS));
    close(slave);
    close(master);
    close(fd);
}

/* ---- Memory that is not there ---- */

/* Each in a fresh pair: how Linux's rings wrap shall not matter. */
static void write_beyond(const char *what, bool by_master, const char *p, int there)
{
    char seen[PAGE * 2];
    long n, got;

    open_pair(&master, &slave);
    make_raw(slave);
    n = write(by_master ? master : slave, p, there + 8);
    settle();
    got = n > 0 ? read(by_master ? slave : master, seen, sizeof(seen)) : 0;
    printf("%s writes %d and beyond: %ld %s, came %ld\n", what, there, n,
           n < 0 ? error_name(errno) : "", got);
    close(slave);
    close(master);
}

static void read_beyond(const char *what, bool by_master, char *p, int room)
{
    char text[193];
    long n;

    memset(text, 't', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    open_pair(&master, &slave);
    make_raw(slave);
    put(by_master ? slave : master, text);
    settle();
    n = read(by_master ? master : slave, p, 192);
    printf("%s reads 192 into %d: %ld %s\n", what, room, n, n < 0 ? error_name(errno) : "");
    close(slave);
    close(master);
}

static void bad_memory(void)
{
    char *p = map_anon(2);

    munmap(p + PAGE, PAGE);
    memset(p, 'm', PAGE);
    for (int there = 1; there < 4000; there = there == 2048 ? 3000 : there * 2) {
        write_beyond("slave", false, p + PAGE - there, there);
        write_beyond("master", true, p + PAGE - there, there);
    }
    for (int room = 0; room <= 256; room += 64) {
        read_beyond("slave", false, p + PAGE - room, room);
        read_beyond("master", true, p + PAGE - room, room);
    }
}

static unsigned long_flags(int fd, int which)
{
    struct termios t;

    DIE_UNLESS(tcgetattr(fd, &t) == 0);
    return which ? t.c_cc[VINTR] : t.c_lflag;
}

/* What is locked stays, whoever changes the rest. */
static void locked(void)
{
    struct termios t, lock = {.c_lflag = ECHO, .c_cc[VINTR] = 1};
    int master, slave, on = 0, status;
    char was[36] = "x";

    printf("-- locked\n");
    open_pair(&master, &slave);
    DIE_UNLESS(tcgetattr(slave, &t) == 0);
    SHOW(ioctl(slave, TIOCGLCKTRMIOS, was));
    printf("%d\n", was[0]);
    SHOW(ioctl(slave, TIOCSLCKTRMIOS, &lock));
    t.c_lflag &= ~(ECHO | ICANON);
    t.c_cc[VINTR] = 'x';
    SHOW(tcsetattr(slave, TCSANOW, &t));
    printf("echo %d, lines %d, interrupt %d\n", !!(long_flags(slave, 0) & ECHO),
           !!(long_flags(slave, 0) & ICANON), long_flags(slave, 1));
    lock = (struct termios){0};
    SHOW(ioctl(master, TIOCSLCKTRMIOS, &lock));
    SHOW(tcsetattr(slave, TCSANOW, &t));
    printf("echo %d, interrupt %c\n", !!(long_flags(slave, 0) & ECHO), long_flags(slave, 1));
    SHOW(ioctl(slave, TIOCGSOFTCAR, &on));
    printf("%d\n", on);
    on = 1;
    SHOW(ioctl(slave, TIOCSSOFTCAR, &on));
    on = 0;
    SHOW(ioctl(master, TIOCGSOFTCAR, &on));
    printf("%d\n", on);
    SHOW(ioctl(slave, TIOCSSOFTCAR, 8));
    SHOW(ioctl(slave, TIOCGSOFTCAR, 8));
    SHOW(ioctl(slave, TIOCGLCKTRMIOS, 8));
    SHOW(ioctl(slave, TIOCSLCKTRMIOS, 8));
    if (fork() == 0) {
        DIE_UNLESS(setuid(1000) == 0);
        SHOW(ioctl(slave, TIOCSLCKTRMIOS, &lock));
        SHOW(ioctl(slave, TIOCGLCKTRMIOS, was));
        _exit(0);
    }
    wait(&status);
    close(master);
    close(slave);
}

int main(void)
{
    signal(SIGHUP, SIG_IGN);
    locked();
    packets();
    external();
    flow();
    flushes();
    simulated();
    console();
    bad_memory();
    return 0;
}
