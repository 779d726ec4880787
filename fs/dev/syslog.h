/* syslog(2): the ring of the kernel log as dmesg and /proc/kmsg read it. */
#ifndef FS_SYSLOG_H
#define FS_SYSLOG_H

#include <stdint.h>
#include "arch/user.h"

/* See man 2 syslog; buf is user memory. May sleep. */
int log_syslog(int type, char __user *ubuf, int len);

extern uint32_t log_restricted; /* dmesg_restrict: 1: reading the log takes CAP_SYSLOG */

#endif
