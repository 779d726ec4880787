/* Types of register sets, which are those of a core file's notes. man 5 elf, <elf.h> */
#ifndef KERNEL_REGSET_H
#define KERNEL_REGSET_H

#include "kernel/ptrace/ptrace.h"

#define NT_PRSTATUS   1u
#define NT_PRFPREG    2u
#define NT_386_TLS    0x200u
#define NT_386_IOPERM 0x201u
#define NT_X86_XSTATE 0x202u
#define NT_PRXFPREG   0x46e62b7fu

#define REGSET_FSAVE_SIZE 108u

/* The whole of a set that is in the table, into buf (FPU_AREA bytes, 16-aligned): its size, or why
 * there is none. */
int regset_read(const struct tracee *x, uint32_t type, void *buf);

#endif
