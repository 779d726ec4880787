/* Pseudo-terminals: making one, names and numbers, data both ways, echo, ends of both sides. */
#include "pty.h"
#include <sys/epoll.h>
#include <sys/sysmacros.h>

/* ---- Making one ---- */

static void locks(void)
{
    int master = new_master(), value = -1, one = 1;
    char *name = slave_name(master);

    SHOW(ioctl(master, TIOCGPTLCK, &value));
    printf("locked %d\n", value);
    SHOW(open(name, O_RDWR | O_NOCTTY));
    SHOW(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY));
    unlock(master);
    SHOW(ioctl(master, TIOCGPTLCK, &value));
    printf("locked %d\n", value);
    int slave = open(name, O_RDWR | O_NOCTTY);
    TRY(slave);
    SHOW(ioctl(master, TIOCSPTLCK, &one));
    SHOW(open(name, O_RDWR | O_NOCTTY));
    SHOW(ioctl(slave, TIOCSPTLCK, &one));
    SHOW(ioctl(slave, TIOCGPTN, &one));
    SHOW(ioctl(slave, TIOCGPTPEER, O_RDWR));
    SHOW(ioctl(master, TIOCGPTN, NULL));
    SHOW(ioctl(master, TIOCSPTLCK, NULL));
    SHOW(ioctl(master, TIOCGPTLCK, NULL));
    close(slave);
    close(master);
    SHOW(open(name, O_RDWR | O_NOCTTY));
}

static void names(void)
{
    struct stat st, link;
    char path[64], text[64];
    int master, slave, peer, number, dev;

    open_pair(&master, &slave);
    DIE_UNLESS(ioctl(master, TIOCGPTN, &number) == 0);
    fstat(slave, &st);
    printf("slave: character %d, mode %o, links %d, major %d, minor right %d\n",
           S_ISCHR(st.st_mode), st.st_mode & 0777, (int)st.st_nlink, (int)major(st.st_rdev),
           (int)minor(st.st_rdev) == number);
    printf("inode right %d, owner %d\n", (int)st.st_ino == number + 3, (int)st.st_uid);
    fstat(master, &link);
    printf("master: %d %d\n", (int)major(link.st_rdev), (int)minor(link.st_rdev));
    snprintf(path, sizeof(path), "/proc/self/fd/%d", slave);
    memset(text, 0, sizeof(text));
    readlink(path, text, sizeof(text) - 1);
    printf("link right %d, ttyname right %d\n", !strcmp(text, slave_name(master)),
           ttyname(slave) && !strcmp(ttyname(slave), slave_name(master)));
    printf("ptsname right %d\n", !strcmp(ptsname(master), slave_name(master)));
    SHOW(isatty(master));
    SHOW(isatty(slave));
    SHOW(ioctl(slave, TIOCGDEV, &dev));
    printf("device right %d\n", dev == (int)(136 << 8 | (number & 0xff) | (number & ~0xff) << 12));
    SHOW(ioctl(master, TIOCGDEV, &dev));
    printf("the same %d\n", dev == (int)(136 << 8 | (number & 0xff) | (number & ~0xff) << 12));
    peer = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    DIE_UNLESS(peer >= 0);
    fstat(peer, &link);
    printf("peer: the same file %d, flags %x %x\n", link.st_ino == st.st_ino,
           fcntl(peer, F_GETFL) & (O_ACCMODE | O_NONBLOCK | O_NOCTTY), fcntl(peer, F_GETFD));
    close(master);
    fstat(slave, &st);
    printf("master closed: links %d\n", (int)st.st_nlink);
    readlink(path, text, sizeof(text) - 1);
    printf("deleted %d\n", strstr(text, "(deleted)") != NULL);
    close(peer);
    close(slave);
}

/* The lowest free number is taken; one stays in use while either side is open. */
static void numbers(void)
{
    int a, b, slave, n[4];

    open_pair(&a, &slave);
    b = new_master();
    ioctl(a, TIOCGPTN, &n[0]);
    ioctl(b, TIOCGPTN, &n[1]);
    printf("next number: %d\n", n[1] > n[0]);
    close(a);
    a = new_master();
    ioctl(a, TIOCGPTN, &n[2]);
    printf("its slave open: another %d\n", n[2] != n[0]);
    close(slave);
    usleep(100000);
    slave = new_master();
    ioctl(slave, TIOCGPTN, &n[3]);
    printf("both closed: again %d\n", n[3] == n[0]);
    close(a);
    close(b);
    close(slave);
}

/* ---- Data ---- */

static void cooked(void)
{
    int master, slave, n;

    open_pair(&master, &slave);
    DIE_UNLESS(write(master, "one\n", 4) == 4);
    show_read("echo", master);
    show_read("line", slave);
    DIE_UNLESS(write(slave, "two\n", 4) == 4);
    show_read("output", master);
    DIE_UNLESS(write(master, "ab\177c\027\025xyz", 9) == 9);
    show_read("editing", master);
    SHOW(ioctl(slave, FIONREAD, &n));
    printf("readable %d\n", n);
    show_poll("slave", slave);
    DIE_UNLESS(write(master, "\4", 1) == 1);
    usleep(50000);
    SHOW(ioctl(slave, FIONREAD, &n));
    printf("readable %d\n", n);
    show_read("no newline", slave);
    DIE_UNLESS(write(master, "\4", 1) == 1);
    show_read("end of file", slave);
    DIE_UNLESS(write(master, "\t\tab\tc\177\177\177\177\177\177", 12) == 12);
    show_read("tabs", master);
    close(slave);
    close(master);
}

static void raw(void)
{
    int master, slave, n;
    char buf[8];

    open_pair(&master, &slave);
    make_raw(slave);
    DIE_UNLESS(write(master, "a\r\n\3\4\377", 6) == 6);
    show_read("raw", slave);
    DIE_UNLESS(write(slave, "\r\n\t\1", 4) == 4);
    show_read("raw back", master);
    DIE_UNLESS(write(slave, "abcdef", 6) == 6);
    usleep(50000);
    SHOW(ioctl(master, FIONREAD, &n));
    printf("master can read %d\n", n);
    SHOW(ioctl(slave, TIOCOUTQ, &n));
    printf("slave's queue %d\n", n);
    SHOW(read(master, buf, 2));
    show_read("the rest", master);
    SHOW(write(master, "", 0));
    SHOW(write(slave, "", 0));
    SHOW(read(master, buf, 0));
    SHOW(write(master, NULL, 1));
    SHOW(write(slave, NULL, 1));
    close(slave);
    close(master);
}

/* Attributes, size and such through the master are the slave's. */
static void shared_state(void)
{
    int master, slave, value;
    struct termios t;
    struct winsize w = {24, 80, 1, 2}, got;

    open_pair(&master, &slave);
    tcgetattr(master, &t);
    printf("fresh: %o %o %o %o, cc %d %d %d\n", t.c_iflag, t.c_oflag, t.c_cflag, t.c_lflag,
           t.c_cc[VINTR], t.c_cc[VEOF], t.c_cc[VSUSP]);
    SHOW(ioctl(slave, TIOCGWINSZ, &got));
    printf("size %d %d\n", got.ws_row, got.ws_col);
    SHOW(ioctl(master, TIOCSWINSZ, &w));
    SHOW(ioctl(slave, TIOCGWINSZ, &got));
    printf("size %d %d %d %d\n", got.ws_row, got.ws_col, got.ws_xpixel, got.ws_ypixel);
    t.c_lflag &= ~ECHO;
    t.c_cflag = (t.c_cflag & ~(CSIZE | CREAD)) | CS7 | PARENB;
    SHOW(tcsetattr(master, TCSANOW, &t));
    tcgetattr(slave, &t);
    printf("changed: %o %o\n", t.c_cflag, t.c_lflag);
    SHOW(ioctl(master, TIOCGETD, &value));
    printf("discipline %d\n", value);
    value = 30;
    SHOW(ioctl(master, TIOCSETD, &value));
    SHOW(ioctl(slave, TIOCMGET, &value));
    SHOW(tcdrain(slave));
    SHOW(tcsendbreak(slave, 0));
    SHOW(tcsendbreak(master, 0));
    SHOW(ioctl(slave, 0x5499, &value));
    SHOW(ioctl(master, 0x5499, &value));
    SHOW(ioctl(slave, TIOCEXCL, 0));
    SHOW(ioctl(slave, TIOCGEXCL, &value));
    printf("exclusive %d\n", value);
    SHOW(ioctl(master, TIOCGEXCL, &value));
    printf("exclusive %d\n", value);
    SHOW(ioctl(slave, TIOCNXCL, 0));
    SHOW(lseek(master, 0, SEEK_SET));
    SHOW(pread(slave, &value, 1, 0));
    SHOW(fsync(slave));
    SHOW(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, slave, 0) == MAP_FAILED);
    close(slave);
    close(master);
}

/* ---- Ends ---- */

static void slave_goes(void)
{
    int master = new_master(), slave;
    char *name = slave_name(master);

    unlock(master);
    show_poll("never opened", master);
    fcntl(master, F_SETFL, O_NONBLOCK);
    SHOW(read(master, name, 0));
    show_read("never opened", master);
    DIE_UNLESS(write(master, "early\n", 6) == 6);
    show_read("echo all the same", master);
    slave = open(name, O_RDWR | O_NOCTTY);
    show_read("kept", slave);
    DIE_UNLESS(write(slave, "bye", 3) == 3);
    close(slave);
    usleep(50000);
    show_poll("slave closed", master);
    show_read("what was left", master);
    show_poll("nothing left", master);
    show_read("then", master);
    SHOW(write(master, "x", 1));
    slave = open(name, O_RDWR | O_NOCTTY);
    show_read("opened again: echo", master);
    DIE_UNLESS(write(slave, "again", 5) == 5);
    show_poll("opened again", master);
    show_read("opened again", master);
    close(slave);
    close(master);
}

static void master_goes(void)
{
    int master, slave, n, status;
    struct termios t;
    char c;
    pid_t pid;

    open_pair(&master, &slave);
    DIE_UNLESS(write(master, "lost\n", 5) == 5);
    usleep(50000);
    close(master);
    show_poll("master closed", slave);
    SHOW(read(slave, &c, 1));
    SHOW(write(slave, &c, 1));
    SHOW(tcgetattr(slave, &t));
    SHOW(ioctl(slave, FIONREAD, &n));
    SHOW(tcsetpgrp(slave, getpid()));
    close(slave);

    open_pair(&master, &slave);
    pid = fork();
    if (pid == 0) {
        close(master);
        SHOW(read(slave, &c, 1));
        SHOW(read(slave, &c, 1));
        _exit(0);
    }
    usleep(100000);
    close(master);
    DIE_UNLESS(waitpid(pid, &status, 0) == pid);
    print_status("reader that waited", status);
    close(slave);
}

/* ---- Waiting ---- */

static void fill(int from, int to)
{
    static char junk[1000];
    long sent = 0, got = 0, n;

    memset(junk, 'j', sizeof(junk));
    fcntl(from, F_SETFL, O_NONBLOCK);
    fcntl(to, F_SETFL, O_NONBLOCK);
    while ((n = write(from, junk, sizeof(junk))) > 0)
        sent += n;
    printf("full: %s, over 4,000 %d, under 100,000 %d\n", error_name(errno), sent > 4000,
           sent < 100000);
    show_poll("full", from);
    for (;;) {
        struct pollfd p = {.fd = to, .events = POLLIN};
        if (poll(&p, 1, 300) == 0)
            break;
        n = read(to, junk, sizeof(junk));
        if (n > 0)
            got += n;
    }
    printf("all of it came %d\n", got == sent);
    show_poll("empty", from);
}

static void waiting(void)
{
    struct epoll_event e = {.events = EPOLLIN | EPOLLET}, out;
    int master, slave, ep = epoll_create1(0), status;
    static char big[30000];
    long n, got = 0;
    pid_t pid;

    open_pair(&master, &slave);
    make_raw(slave);
    fill(slave, master);
    fill(master, slave);
    fcntl(master, F_SETFL, 0);
    fcntl(slave, F_SETFL, 0);
    DIE_UNLESS(epoll_ctl(ep, EPOLL_CTL_ADD, master, &e) == 0);
    SHOW(epoll_wait(ep, &out, 1, 0));
    DIE_UNLESS(write(slave, "e", 1) == 1);
    SHOW(epoll_wait(ep, &out, 1, 1000));
    printf("events %x\n", out.events);
    SHOW(epoll_wait(ep, &out, 1, 0));
    show_read("then", master);

    pid = fork();
    if (pid == 0) {
        close(master);
        for (unsigned i = 0; i < sizeof(big); i++)
            big[i] = (char)(i % 251);
        n = write(slave, big, sizeof(big));
        _exit(n == sizeof(big) ? 0 : 1);
    }
    while (got < (long)sizeof(big)) {
        n = read(master, big + got, sizeof(big) - got);
        if (n <= 0)
            break;
        got += n;
    }
    n = 0;
    for (unsigned i = 0; i < sizeof(big); i++)
        n += big[i] != (char)(i % 251);
    printf("came %ld, wrong %ld\n", got, n);
    waitpid(pid, &status, 0);
    print_status("writer", status);

    pid = fork();
    if (pid == 0) {
        n = write(master, big, sizeof(big));
        _exit(n == sizeof(big) ? 0 : 1);
    }
    memset(big, 0, sizeof(big));
    for (got = 0; got < (long)sizeof(big); got += n) {
        n = read(slave, big + got, 777);
        if (n <= 0)
            break;
    }
    n = 0;
    for (unsigned i = 0; i < sizeof(big); i++)
        n += big[i] != (char)(i % 251);
    printf("back %ld, wrong %ld\n", got, n);
    waitpid(pid, &status, 0);
    print_status("writer", status);
    close(ep);
    close(slave);
    close(master);
}

/* Many at once, and none is left. */
static void many(void)
{
    int masters[40], n, top = -1, wrong = 0;
    char c;

    for (int i = 0; i < 40; i++) {
        int slave;
        open_pair(&masters[i], &slave);
        make_raw(slave);
        ioctl(masters[i], TIOCGPTN, &n);
        wrong += n <= top;
        c = (char)('A' + i);
        write(slave, &c, 1);
        close(slave);
    }
    for (int i = 0; i < 40; i++)
        wrong += read(masters[i], &c, 1) != 1 || c != 'A' + i || read(masters[i], &c, 1) != -1;
    printf("wrong %d\n", wrong);
    for (int i = 0; i < 40; i++)
        close(masters[i]);
}

/* What programs like ps take the names of terminals from. */
static void drivers(void)
{
    static const char *const wanted[] = {"/dev/tty ", "/dev/console", "/dev/ptmx",
                                         "/dev/vc/0", "pty_slave",    "pty_master"};
    char line[200];

    for (int i = 0; i < 6; i++) {
        FILE *f = fopen("/proc/tty/drivers", "r");
        while (f && fgets(line, sizeof(line), f))
            if (strncmp(line, wanted[i], strlen(wanted[i])) == 0)
                printf("%s", line);
        fclose(f);
    }
}

int main(void)
{
    signal(SIGHUP, SIG_IGN);
    locks();
    names();
    numbers();
    cooked();
    raw();
    shared_state();
    slave_goes();
    master_goes();
    waiting();
    many();
    drivers();
    return 0;
}
