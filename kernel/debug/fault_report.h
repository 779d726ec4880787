/* kernel/debug/fault_report.c: the log's line about a process that dies of its own fault. */
#ifndef KERNEL_FAULT_REPORT_H
#define KERNEL_FAULT_REPORT_H

struct thread;
struct trapframe;
struct siginfo;

/* t is the current thread, signo the signal of the trap that t->sig remembers. May sleep. */
void report_fatal_fault(const struct thread *t, const struct trapframe *tf, int signo);
/* The same signal, but somebody sent it. */
void report_sent_fault(const struct thread *t, int signo, const struct siginfo *info);

#endif
