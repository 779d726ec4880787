/*
 * System calls that a program takes itself, as emulators of other systems do: those that are made
 * from outside a range of its code become SIGSYS. [Linux: admin-guide/syscall-user-dispatch.rst]
 */
#ifndef KERNEL_USER_DISPATCH_H
#define KERNEL_USER_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>
#include "arch/user.h"

struct thread;
struct trapframe;

/* prctl(PR_SET_SYSCALL_USER_DISPATCH) */
long user_dispatch_set(uint32_t mode, uint32_t from, uint32_t len, const void __user *selector);
void user_dispatch_clear(struct thread *t); /* of the current thread: at exec and exit */
/* Whether the current thread, which has this on, makes the call. May not return. */
bool user_dispatch_allows(struct trapframe *tf);

#endif
