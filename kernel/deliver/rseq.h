#ifndef KERNEL_RSEQ_H
#define KERNEL_RSEQ_H

#include "kernel/thread/proc.h"

/* Current has a rseq, and another thread ran while it was in user mode, or it enters a handler. */
void rseq_interrupted(struct trapframe *tf);

#endif
