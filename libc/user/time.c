/* Clocks and the calendar (proleptic Gregorian, UTC). */
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include "libc/user/number.h"

int clock_gettime(int clock, struct timespec *ts)
{
    return syscall(NR_clock_gettime64, clock, ts);
}

int clock_settime(int clock, const struct timespec *ts)
{
    struct timespec t = {ts->tv_sec, ts->tv_nsec, 0};

    return syscall(NR_clock_settime64, clock, &t);
}

time_t time(time_t *out)
{
    struct timespec ts = {0};

    clock_gettime(CLOCK_REALTIME, &ts);
    if (out)
        *out = ts.tv_sec;
    return ts.tv_sec;
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in_month(int month, int year)
{
    static const char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month] + (month == 1 && is_leap(year));
}

struct tm *gmtime_r(const time_t *t, struct tm *out)
{
    int days = *t / 86400, rest = *t % 86400, year = 1970, month = 0;

    if (rest < 0) {
        rest += 86400;
        days--;
    }
    *out = (struct tm){.tm_hour = rest / 3600, .tm_min = rest / 60 % 60, .tm_sec = rest % 60};
    out->tm_wday = ((days + 4) % 7 + 7) % 7;
    for (; days < 0; year--)
        days += 365 + is_leap(year - 1);
    for (; days >= 365 + is_leap(year); year++)
        days -= 365 + is_leap(year);
    out->tm_year = year - 1900;
    out->tm_yday = days;
    for (; days >= days_in_month(month, year); month++)
        days -= days_in_month(month, year);
    out->tm_mon = month;
    out->tm_mday = days + 1;
    return out;
}

struct tm *gmtime(const time_t *t)
{
    static struct tm tm;

    return gmtime_r(t, &tm);
}

struct tm *localtime(const time_t *t)
{
    return gmtime(t);
}

static int format_field(char *buf, size_t size, char conv, const struct tm *tm)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    switch (conv) {
    case 'a':
        return snprintf(buf, size, "%.3s", days + 3 * tm->tm_wday);
    case 'b':
        return snprintf(buf, size, "%.3s", months + 3 * tm->tm_mon);
    case 'd':
        return snprintf(buf, size, "%02d", tm->tm_mday);
    case 'e':
        return snprintf(buf, size, "%2d", tm->tm_mday);
    case 'H':
        return snprintf(buf, size, "%02d", tm->tm_hour);
    case 'M':
        return snprintf(buf, size, "%02d", tm->tm_min);
    case 'S':
        return snprintf(buf, size, "%02d", tm->tm_sec);
    case 'Y':
        return snprintf(buf, size, "%d", tm->tm_year + 1900);
    case 'm':
        return snprintf(buf, size, "%02d", tm->tm_mon + 1);
    case 'j':
        return snprintf(buf, size, "%03d", tm->tm_yday + 1);
    case 'F':
        return snprintf(buf, size, "%d-%02d-%02d", tm->tm_year + 1900, tm->tm_mon + 1, tm->tm_mday);
    case 'T':
        return snprintf(buf, size, "%02d:%02d:%02d", tm->tm_hour, tm->tm_min, tm->tm_sec);
    case 'n':
        return snprintf(buf, size, "\n");
    default:
        return snprintf(buf, size, "%c", conv);
    }
}

size_t strftime(char *buf, size_t size, const char *fmt, const struct tm *tm)
{
    size_t n = 0;

    for (; *fmt && n < size; fmt++) {
        if (*fmt != '%')
            buf[n++] = *fmt;
        else if (*++fmt)
            n += format_field(buf + n, size - n, *fmt, tm);
        else
            break;
    }
    if (n >= size)
        return 0;
    buf[n] = '\0';
    return n;
}
