/* What the tests of /dev/rtc0 share: its time as seconds. */
#ifndef RTC_H
#define RTC_H

#include <linux/rtc.h>
#include <sys/ioctl.h>
#include <time.h>
#include "guest.h"

static int fd; /* of the clock */

__attribute__((unused)) static time_t to_seconds(const struct rtc_time *t)
{
    struct tm tm = {0};

    memcpy(&tm, t, sizeof(*t));
    return timegm(&tm);
}

__attribute__((unused)) static struct rtc_time of(time_t when)
{
    struct rtc_time t;
    struct tm tm;

    DIE_UNLESS(gmtime_r(&when, &tm));
    memcpy(&t, &tm, sizeof(t));
    return t;
}

__attribute__((unused)) static time_t seconds(void)
{
    struct rtc_time t;

    DIE_UNLESS(ioctl(fd, RTC_RD_TIME, &t) == 0);
    return to_seconds(&t);
}

#endif
