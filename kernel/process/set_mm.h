/* PR_SET_MM: what is kept of where the parts of a program lie. man 2 PR_SET_MM */
#ifndef KERNEL_SET_MM_H
#define KERNEL_SET_MM_H

#include <stdint.h>

struct proc;

/* What prctl(2) is asked with the three arguments after PR_SET_MM. */
long set_mm(uint32_t what, uint32_t addr, uint32_t size);
/* The vector that p was given from now on; NULL: none, it is where exec put it. */
void give_auxv(struct proc *p, uint32_t *auxv);
/* For fork: the child's auxiliary vector is the one that the parent was given. -ENOMEM */
int copy_auxv(struct proc *child, const struct proc *parent);

#endif
