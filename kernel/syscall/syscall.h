/*
 * System calls. Each handler is `long sys_NAME(uint32_t a, ...)`, named in
 * kernel/syscall/syscall_list.h by one line NR(number, name); it returns a value or -errno. It may
 * look at thread_current()->arch.tf for the user's registers.
 */
#ifndef KERNEL_SYSCALL_H
#define KERNEL_SYSCALL_H

#include <stdint.h>

typedef long (*syscall_fn)(uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t);

void syscall_init(void); /* reads the boot options */

#endif
