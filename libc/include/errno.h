/* Why the last failed call failed. One thread: errno is a plain variable. */
#ifndef ERRNO_H
#define ERRNO_H

#include "libc/errno.h"

extern int errno;

#endif
