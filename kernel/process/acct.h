/* Process accounting. */
#ifndef KERNEL_ACCT_H
#define KERNEL_ACCT_H

struct proc;

/* p is about to end, with its last thread: a record, if somebody wants them. May sleep. */
void acct_process(struct proc *p);

#endif
