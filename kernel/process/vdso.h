/*
 * linux-gate.so.1, an object that every program finds in its memory (vdso/): ways into the kernel
 * and back, and the clocks in user mode. man 7 vdso.
 */
#ifndef KERNEL_PROCESS_VDSO_H
#define KERNEL_PROCESS_VDSO_H

#include <stdint.h>

struct vm_space;

/* Maps it into a new space; 0 or -ENOMEM. Without one (vdso=0) nothing happens. May sleep. */
int vdso_map(struct vm_space *s);

/* Places in the object, from its start (vdso/image.asm). */
extern const uint32_t vdso_vsyscall, vdso_vsyscall_enter, vdso_vsyscall_landing, vdso_sigreturn,
    vdso_rt_sigreturn;

uint32_t vdso_start(const struct vm_space *s); /* where s has it; 0: nowhere */
/* A place in the current program; 0: it has no vDSO. */
uint32_t vdso_address(uint32_t place);

#endif
