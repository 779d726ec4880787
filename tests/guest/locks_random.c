/* Record locks at random: four processes on overlapping ranges, each told in turn what to do. */
#include "guest.h"

#define WORKERS 4
#define STEPS   700

static uint32_t seed = 20260101;

static uint32_t dice(uint32_t sides)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 16) % sides;
}

struct order {
    int cmd, type, whence;
    int start, len;
};

struct answer {
    int error, type, start, len, owner;
};

static pid_t pids[WORKERS];
static int ask[WORKERS][2], tell[2];

static int who(pid_t pid)
{
    for (int i = 0; i < WORKERS; i++)
        if (pids[i] == pid)
            return i;
    return pid == -1 ? -1 : 9;
}

static void worker(int n)
{
    int fd = open("locked", O_RDWR);
    struct order o;

    while (read(ask[n][0], &o, sizeof(o)) == sizeof(o)) {
        struct flock l = {(short)o.type, (short)o.whence, o.start, o.len, 0};
        struct answer a = {0};

        if (o.cmd == F_GETFD) /* closing a copy lets go of all */
            close(open("locked", O_RDONLY));
        else if (fcntl(fd, o.cmd, &l) < 0)
            a.error = errno;
        a.type = l.l_type;
        a.start = (int)l.l_start;
        a.len = (int)l.l_len;
        a.owner = l.l_pid;
        write(tell[1], &a, sizeof(a));
    }
    _exit(0);
}

static struct order roll(void)
{
    static const int cmds[] = {F_SETLK, F_SETLK,     F_SETLK,    F_GETLK,
                               F_GETLK, F_OFD_SETLK, F_OFD_GETLK};
    static const int types[] = {F_RDLCK, F_RDLCK, F_WRLCK, F_UNLCK};
    struct order o = {.cmd = cmds[dice(7)], .type = types[dice(4)]};

    if ((o.cmd == F_GETLK || o.cmd == F_OFD_GETLK) && o.type == F_UNLCK)
        o.type = F_WRLCK;
    o.start = (int)dice(40);
    o.len = dice(8) ? 1 + (int)dice(20) : 0;
    if (!dice(80))
        o.cmd = F_GETFD;
    return o;
}

int main(void)
{
    struct answer a;

    make_file("locked", 100);
    DIE_UNLESS(pipe(tell) == 0);
    for (int i = 0; i < WORKERS; i++) {
        DIE_UNLESS(pipe(ask[i]) == 0);
        pids[i] = fork();
        if (pids[i] == 0)
            worker(i);
    }
    for (int step = 0; step < STEPS; step++) {
        int n = (int)dice(WORKERS);
        struct order o = roll();

        write(ask[n][1], &o, sizeof(o));
        DIE_UNLESS(read(tell[0], &a, sizeof(a)) == sizeof(a));
        printf("%d: %d type %d %d+%d: %s", n, o.cmd, o.type, o.start, o.len, error_name(a.error));
        if ((o.cmd == F_GETLK || o.cmd == F_OFD_GETLK) && !a.error && a.type != F_UNLCK)
            printf(", type %d %d+%d of %d", a.type, a.start, a.len, who(a.owner));
        printf("\n");
    }
    for (int i = 0; i < WORKERS; i++)
        kill(pids[i], SIGKILL);
    return 0;
}
