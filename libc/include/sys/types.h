#ifndef SYS_TYPES_H
#define SYS_TYPES_H

#include <stddef.h>

typedef int pid_t;
typedef unsigned uid_t, gid_t, mode_t, nlink_t;
typedef unsigned long long ino_t, dev_t;
typedef long long off_t, time_t;
typedef int ssize_t;

#endif
