/*
 * Tracing into the kernel's log, by category: trace=syscalls,sched on the command line, or written
 * to /proc/sys/kernel/trace. The lines have the level "debug": dmesg shows them, the consoles only
 * with loglevel=8. While a category is off it costs one branch, which is predicted.
 */
#ifndef KERNEL_TRACE_H
#define KERNEL_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "mm/vm.h"

/* What is traced. */
enum trace_category {
    TRACE_FAULTS = 0x01,
    TRACE_SYSCALLS = 0x02,
    TRACE_SCHED = 0x04,
    TRACE_IRQ = 0x08,
    TRACE_BLOCK = 0x10,
    /* Not categories, but whoever dispatches a call asks for all of them at once. */
    TRACE_TRACEES = 0x20,   /* somebody is traced by ptrace */
    TRACE_LATENCY = 0x40,   /* stretches are recorded: arch/latency.h */
    TRACE_FILTERS = 0x80,   /* somebody has a seccomp mode */
    TRACE_DISPATCH = 0x200, /* somebody takes its own calls */
    TRACE_OTHERS = TRACE_TRACEES | TRACE_LATENCY | TRACE_FILTERS | TRACE_DISPATCH,
    TRACE_HELD = 0x100, /* faults wait for who watches: faultgate.h */
    TRACE_AFTER_FAULTS = TRACE_FAULTS | TRACE_HELD,
};
extern uint32_t trace_mask;

struct thread;

static inline bool tracing(enum trace_category c)
{
    return __builtin_expect(trace_mask & c, 0);
}

void trace_init(void); /* once at boot: trace= */
/* "faults,sched", "all", "none" or nothing: what is traced from now on. -EINVAL for another word.
 */
int trace_set(const char *names, size_t len);
void trace_get(char *buf, size_t size); /* the names, separated by commas */

void trace_fault(vaddr_t addr, enum vm_access access, enum vm_result r);
void trace_irq(unsigned irq);
void trace_switch(const struct thread *prev, const struct thread *next);

/* A system call in the form of strace(1): begin before it, end after it. trace_syscall.c */
#define TRACE_LINE 200
struct trace_call {
    int length;
    char text[TRACE_LINE];
};
void trace_syscall_begin(struct trace_call *c, const char *name, uint32_t nr,
                         const uint32_t args[6]);
void trace_syscall_end(struct trace_call *c, long result);

#endif
