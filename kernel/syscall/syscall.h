/*
 * System calls. Each handler is `long sys_NAME(uint32_t a, ...)`, named in
 * kernel/syscall/syscall_list.h by one line NR(number, name); it returns a value or -errno. It may
 * look at thread_current()->arch.tf for the user's registers.
 */
#ifndef KERNEL_SYSCALL_H
#define KERNEL_SYSCALL_H

#include <stdbool.h>
#include <stdint.h>
#include "arch/user.h"

typedef long (*syscall_fn)(uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t);

void syscall_init(void); /* reads the boot options */

struct trapframe;
/* What sysenter leaves to do: where the program goes on, and the sixth argument, from its stack.
 * False: that faults, and the call is over. */
bool sysenter_arguments(struct trapframe *tf);
/* kernel/syscall/sys_seccomp.c: does what seccomp_judge() said; whether the call is to be made. May
 * not return. */
bool seccomp_act(struct trapframe *tf, uint32_t verdict);
long seccomp_prctl(uint32_t mode, const void __user *uprogram); /* PR_SET_SECCOMP */

#endif
