/* How units of time are made of each other. */
#ifndef LIBC_UNITS_H
#define LIBC_UNITS_H

#define NSEC_PER_SEC  1000000000ull
#define NSEC_PER_MSEC 1000000u
#define NSEC_PER_USEC 1000u
#define USEC_PER_SEC  1000000

#endif
