/* /dev/rtc0: the machine's clock is read and set, by one at a time. */
#include <sys/mount.h>
#include "rtc.h"

CHANGES_THE_MACHINE("its clock");

static void sets(time_t when)
{
    struct rtc_time t = of(when);
    time_t now;

    SHOW(ioctl(fd, RTC_SET_TIME, &t));
    now = seconds();
    printf("%d-%02d-%02d %02d: %s\n", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour,
           now >= when && now <= when + 3 ? "kept" : "something else");
}

static void refuses(int year, int month, int day, int hour)
{
    struct rtc_time t = {.tm_year = year, .tm_mon = month, .tm_mday = day, .tm_hour = hour};

    SHOW(ioctl(fd, RTC_SET_TIME, &t));
}

int main(void)
{
    struct rtc_time t;
    time_t before;
    int status;

    mount("none", "/dev", "devtmpfs", 0, NULL);
    fd = open("/dev/rtc0", O_RDONLY);
    DIE_UNLESS(fd >= 0);
    SHOW(open("/dev/rtc0", O_RDONLY));
    before = seconds();
    printf("near the time of the system: %d\n", labs(before - time(NULL)) < 5);
    SHOW(ioctl(fd, RTC_RD_TIME, 8));
    SHOW(ioctl(fd, RTC_SET_TIME, 8));
    SHOW(ioctl(fd, 0x5401, &t));
    SHOW(lseek(fd, 0, SEEK_SET));
    SHOW(write(fd, "x", 1));
    sets(951782400);  /* 2000-02-29 */
    sets(1767225599); /* 2025-12-31 23:59:59 */
    sets(1700000000);
    refuses(123, 1, 29, 0); /* February has none that year */
    refuses(124, 12, 1, 0);
    refuses(124, 3, 31, 0);
    refuses(124, 0, 0, 0);
    refuses(124, 0, 1, 24);
    refuses(60, 0, 1, 0);
    printf("as it was: %d\n", labs(seconds() - 1700000000) < 4);
    if (fork() == 0) {
        DIE_UNLESS(setuid(1000) == 0);
        t = of(before);
        SHOW(ioctl(fd, RTC_SET_TIME, &t));
        SHOW(ioctl(fd, RTC_RD_TIME, &t));
        _exit(0);
    }
    wait(&status);
    t = of(before);
    SHOW(ioctl(fd, RTC_SET_TIME, &t));
    close(fd);
    SHOW(open("/dev/rtc0", O_RDONLY) >= 0);
    return 0;
}
