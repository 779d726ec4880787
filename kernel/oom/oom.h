/*
 * What oom.c, oom_choose.c and oom_report.c share: how big a process is in the eyes of who must
 * find memory, who is to die, and what the log says about it.
 */
#ifndef KERNEL_OOM_H
#define KERNEL_OOM_H

#include "kernel/thread/proc.h"

/* In pages; what killing the process would give back. */
struct oom_size {
    uint32_t resident, file; /* its frames; part of them: of files and shared memory */
    uint32_t total;          /* its areas */
    uint32_t overhead;       /* page tables and kin */
    uint32_t swapped;        /* in swap */
    uint32_t kernel;         /* stacks, descriptors, what they hold, queued signals */
};

/* [proc_lock held] p has a space. */
void oom_measure(const struct proc *p, struct oom_size *out);
/* [proc_lock held] In pages, moved by oom_score_adj, which is in thousandths of all memory. */
int32_t oom_badness(const struct proc *p, const struct oom_size *size);
bool oom_is_dying(const struct proc *p); /* [proc_lock held] */

/* Looks at every process, in steps. The victim's pid, or 0; *dying: one dies already, which is
 * worth waiting for. */
int32_t oom_choose(bool *dying);

/* [proc_lock held] What p is, as the line that tells of its death has it. */
void oom_report_kill(const struct proc *p);
/* The machine's memory by kind and its processes, for who asked (the current process): at most once
 * in some seconds. */
void oom_report_state(void);

/* What a descriptor table holds in bytes is told by a function that fs/ hands down at boot. */
struct files;
void oom_count_files(uint32_t (*held_bytes)(struct files *t));

#endif
