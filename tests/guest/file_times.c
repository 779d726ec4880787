/* Times of files: before 1970, after 2038 and 2106, in each layout; what reading does to that of
 * access; what a clock that is set does to those that are made next. */
#include "guest.h"
#include <sys/ioctl.h>
#include <time.h>
#include <utime.h>

CHANGES_THE_MACHINE("the clock");

#define DAY (24 * 60 * 60)

struct wide {
    int64_t sec;
    uint32_t nsec, pad;
};

static int set(const char *name, int64_t a, uint32_t a_nsec, int64_t m, uint32_t m_nsec)
{
    struct wide t[2] = {{a, a_nsec, 0}, {m, m_nsec, 0}};

    return (int)syscall(SYS_utimensat_time64, AT_FDCWD, name, t, 0);
}

static void show(const char *name)
{
    struct {
        uint32_t before[16], atime[2], mtime[2], ctime[2], ino[2];
    } old;
    struct statx sx;

    DIE_UNLESS(syscall(SYS_statx, AT_FDCWD, name, 0, STATX_BASIC_STATS, &sx) == 0);
    DIE_UNLESS(syscall(SYS_stat64, name, &old) == 0);
    printf("  statx %lld.%09u %lld.%09u, stat64 %d %d\n", (long long)sx.stx_atime.tv_sec,
           sx.stx_atime.tv_nsec, (long long)sx.stx_mtime.tv_sec, sx.stx_mtime.tv_nsec,
           (int)old.atime[0], (int)old.mtime[0]);
}

static void far_times(void)
{
    static const int64_t seconds[] = {
        -1,        -DAY,         INT32_MIN, INT32_MAX,    1ll << 31, INT32_MIN - 1ll, UINT32_MAX,
        1ll << 32, -(1ll << 32), 1ll << 34, -11644473600, 1ll << 40, INT64_MAX,       INT64_MIN};

    for (unsigned i = 0; i < sizeof(seconds) / sizeof(*seconds); i++) {
        SHOW(set("f", seconds[i], 999999999, seconds[i], 1));
        show("f");
    }
}

static void narrow_calls(void)
{
    struct {
        int32_t sec, part;
    } t[2] = {{-5, 7}, {INT32_MIN, 999999}};
    int32_t seconds[2] = {-7, 8};

    SHOW(syscall(SYS_utimensat, AT_FDCWD, "f", t, 0));
    show("f");
    SHOW(syscall(SYS_utimes, "f", t));
    show("f");
    SHOW(syscall(SYS_futimesat, AT_FDCWD, "f", t));
    SHOW(syscall(SYS_utime, "f", seconds));
    show("f");
    t[1].part = 1000000;
    SHOW(syscall(SYS_utimes, "f", t));
    t[1].part = -1;
    SHOW(syscall(SYS_utimes, "f", t));
    SHOW(syscall(SYS_utimensat, AT_FDCWD, "f", t, 0));
}

/* Whether reading the file moves its time of access from there. */
static void reading(const char *what, int64_t atime, int64_t mtime)
{
    struct stat st;
    char c;
    int fd;

    DIE_UNLESS(set("f", atime, 0, mtime, 0) == 0 && chmod("f", 0644) == 0);
    usleep(30000);
    DIE_UNLESS(set("f", atime, 0, mtime, 0) == 0);
    fd = open("f", O_RDONLY);
    DIE_UNLESS(fd >= 0 && read(fd, &c, 1) == 1 && fstat(fd, &st) == 0);
    printf("%s: %s\n", what, st.st_atime == atime ? "stays" : "moves");
    close(fd);
}

static void set_clock(int64_t sec)
{
    struct wide to = {sec, 0, 0};

    SHOW(syscall(SYS_clock_settime64, CLOCK_REALTIME, &to));
}

/* Not before the time that was set, however far the tick is. */
static void made_after_setting(void)
{
    struct timespec coarse;
    struct stat st;
    int early = 0;

    for (int i = 0; i < 20; i++) {
        struct wide to = {2000000000 + 10 * i, 0, 0};

        DIE_UNLESS(syscall(SYS_clock_settime64, CLOCK_REALTIME, &to) == 0);
        clock_gettime(CLOCK_REALTIME_COARSE, &coarse);
        DIE_UNLESS(utimensat(AT_FDCWD, "f", NULL, 0) == 0 && stat("f", &st) == 0);
        early += coarse.tv_sec < to.sec || st.st_mtime < to.sec || time(NULL) < to.sec;
        usleep(3000);
    }
    printf("stamps before the time that was set: %d\n", early);
}

int main(void)
{
    int fd = open("f", O_CREAT | O_RDWR, 0644);
    struct timespec before;

    DIE_UNLESS(fd >= 0 && write(fd, "x", 1) == 1 && clock_gettime(CLOCK_REALTIME, &before) == 0);
    far_times();
    narrow_calls();
    set_clock(1900000000);
    reading("later than the others", 2100000000, 1800000000);
    reading("as old as the data", 1800000000, 1800000000);
    reading("a future one", 2100000000, 2000000000);
    set_clock(2100000000 + DAY);
    reading("a day and more ago", 2100000000 - 10, 1800000000);
    set_clock(1900000000);
    made_after_setting();
    DIE_UNLESS(clock_settime(CLOCK_REALTIME, &before) == 0);
    return 0;
}
