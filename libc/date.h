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

#endif
