/* The calendar, as far as clocks and file systems need it. */
#ifndef LIBC_DATE_H
#define LIBC_DATE_H

#include <stdint.h>

/* Days from 1970-01-01 to a day of that year or later, by counting years from March so that the
 * leap day comes last. */
static inline uint32_t days_since_1970(uint32_t year, uint32_t month, uint32_t day)
{
    uint32_t y = month <= 2 ? year - 1 : year;
    uint32_t m = month <= 2 ? month + 9 : month - 3;

    return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

struct date {
    uint32_t year, month, day; /* month and day from 1 */
};

/* The other way round. */
static inline struct date date_of(uint32_t days)
{
    struct date d = {.year = 1970 + days / 366, .month = 12};

    while (days_since_1970(d.year + 1, 1, 1) <= days)
        d.year++;
    while (days_since_1970(d.year, d.month, 1) > days)
        d.month--;
    d.day = days - days_since_1970(d.year, d.month, 1) + 1;
    return d;
}

#endif
