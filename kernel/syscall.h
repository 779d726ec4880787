/*
 * System calls. Each handler is `long sys_NAME(uint32_t a, ...)`, declared in kernel/syscall_list.h
 * by one line NR(number, name, argument count); it returns a value or -errno. It may look at
 * thread_current()->tf for the user's registers.
 */
#ifndef KERNEL_SYSCALL_H
#define KERNEL_SYSCALL_H

#include <stdint.h>

typedef long (*syscall_fn)(uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t);

#endif
