/* O_ASYNC of terminals: SIGIO when there is input, to whom. */
#include "pty.h"

static volatile int told;

static void on_io(int signo)
{
    (void)signo;
    told++;
}

static void show(const char *what)
{
    printf("%s: told %d\n", what, told);
    told = 0;
}

int main(void)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY), slave, other;
    char c[10];

    DIE_UNLESS(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    DIE_UNLESS(slave >= 0);
    signal(SIGIO, on_io);
    SHOW(fcntl(slave, F_GETOWN));
    SHOW(fcntl(slave, F_SETFL, O_ASYNC));
    printf("flags %x, mine %d\n", fcntl(slave, F_GETFL), fcntl(slave, F_GETOWN) == getpid());
    write(master, "a", 1);
    show("half a line");
    write(master, "b\n", 2);
    show("a line");
    SHOW(read(slave, c, sizeof(c)));
    other = open(ptsname(master), O_RDWR | O_NOCTTY);
    DIE_UNLESS(fcntl(other, F_SETOWN, getppid()) == 0);
    DIE_UNLESS(fcntl(other, F_SETFL, O_ASYNC) == 0);
    printf("kept %d\n", fcntl(other, F_GETOWN) == getppid());
    DIE_UNLESS(fcntl(other, F_SETOWN, getpid()) == 0 && close(other) == 0);
    SHOW(fcntl(slave, F_SETFL, 0));
    write(master, "c\n", 2);
    show("no more");
    return 0;
}
