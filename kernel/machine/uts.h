/* The names of the machine that can be changed: sethostname(2), /proc/sys/kernel. */
#ifndef KERNEL_UTS_H
#define KERNEL_UTS_H

#include <stddef.h>

#define UTS_NAME_MAX 64

/* Terminated copies into buf[UTS_NAME_MAX + 1]. */
void uts_get_hostname(char *buf);
void uts_get_domainname(char *buf);
/* name need not be terminated. 0 or -EINVAL (too long). */
int uts_set_hostname(const char *name, size_t len);
int uts_set_domainname(const char *name, size_t len);

#endif
