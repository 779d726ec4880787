/* preadv2 and pwritev2: which flags which files know, and RWF_NOWAIT. */
#include "guest.h"
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

static char buf[8];
static struct iovec v = {buf, sizeof(buf)};

static void try(const char *name, int fd, bool in, bool out)
{
    static const struct {
        const char *name;
        int flag;
    } flags[] = {{"HIPRI", RWF_HIPRI},   {"DSYNC", RWF_DSYNC},   {"SYNC", RWF_SYNC},
                 {"NOWAIT", RWF_NOWAIT}, {"APPEND", RWF_APPEND}, {"32", 32}};

    DIE_UNLESS(fd >= 0);
    printf("%s:", name);
    for (int i = 0; i < 6 && in; i++) {
        lseek(fd, 0, SEEK_SET);
        printf(" %s %s", flags[i].name, answer_of(preadv2(fd, &v, 1, -1, flags[i].flag)));
    }
    printf(in && out ? ";" : "");
    memset(buf, 0, sizeof(buf));
    buf[0] = 1;
    for (int i = 0; i < 6 && out; i++)
        printf(" %s %s", flags[i].name, answer_of(pwritev2(fd, &v, 1, -1, flags[i].flag)));
    puts("");
}

int main(void)
{
    int p[2], s[2], e = eventfd(0, EFD_NONBLOCK), t = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec every = {{0, 1000}, {0, 1000}};

    DIE_UNLESS(pipe(p) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    timerfd_settime(t, 0, &every, NULL);
    try("null", open("/dev/null", O_RDWR), true, true);
    try("zero", open("/dev/zero", O_RDWR), true, true);
    try("full", open("/dev/full", O_RDWR), true, true);
    try("random", open("/dev/random", O_RDONLY), true, false);
    try("urandom", open("/dev/urandom", O_RDONLY), true, false);
    try("file", open("a_file", O_RDWR | O_CREAT, 0600), true, true);
    try("pipe", p[1], false, true);
    try("pipe", p[0], true, false);
    try("socket", s[1], false, true);
    try("socket", s[0], true, false);
    try("eventfd", e, false, true);
    try("eventfd", e, true, false);
    try("timerfd", t, true, false);
    try("inotify", inotify_init1(IN_NONBLOCK), true, false);
    try("setting", open("/proc/sys/kernel/ostype", O_RDONLY), true, false);
    try("version", open("/proc/version", O_RDONLY), true, false);
    e = eventfd(0, 0);
    SHOW(preadv2(e, &v, 1, -1, RWF_NOWAIT));
    SHOW(preadv2(e, &v, 1, -1, RWF_NOWAIT | RWF_HIPRI));
    *(uint64_t *)buf = -2;
    SHOW(pwritev2(e, &v, 1, -1, 0));
    SHOW(preadv2(e, &v, 1, -1, RWF_NOWAIT));
    return 0;
}
