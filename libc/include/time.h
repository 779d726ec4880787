/* Time. There is no time zone: local time is UTC. */
#ifndef TIME_H
#define TIME_H

#include <stddef.h>
#include <sys/types.h>

#define CLOCK_REALTIME  0
#define CLOCK_MONOTONIC 1

struct timespec {
    time_t tv_sec;
    long tv_nsec;
    long pad; /* the kernel's structure has 64 bits here */
};

struct tm {
    int tm_sec, tm_min, tm_hour, tm_mday, tm_mon, tm_year, tm_wday, tm_yday, tm_isdst;
};

time_t time(time_t *out);
int clock_gettime(int clock, struct timespec *ts);
int clock_settime(int clock, const struct timespec *ts);
int nanosleep(const struct timespec *want, struct timespec *left);
struct tm *gmtime_r(const time_t *t, struct tm *out);
struct tm *gmtime(const time_t *t);
struct tm *localtime(const time_t *t);
/* %a %b %d %e %H %M %S %Y %m %F %T %j %% and %n. */
size_t strftime(char *buf, size_t size, const char *fmt, const struct tm *tm);

#endif
