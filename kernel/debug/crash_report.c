/*
 * The part of a crash report that needs the kernel's structures. Whoever held a lock will not let
 * go any more, and what they protect may be half changed: nothing here takes a lock that could be
 * held, and what is most useful comes first.
 */
#include "arch/cpu.h"
#include "arch/lock.h"
#include "kernel/debug/crash.h"
#include "kernel/base/log.h"
#include "kernel/base/panic.h"
#include "kernel/thread/proc.h"
#include "mm/see.h"

#define AREAS_AROUND 5
#define LAST_FAULTS  8

static void report_process(const struct thread *t)
{
    if (!t || !t->proc)
        klog(LOG_EMERG, "No process was running.\n");
    else
        klog(LOG_EMERG, "Process %d (%.16s), thread %d\n", (int)t->proc->pid, t->proc->comm,
             (int)t->tid);
}

static void report_area(const struct vm_area_info *a, uint32_t addr)
{
    const char *mark = addr >= a->start && addr < a->end ? "  <- here" : "";

    klog(LOG_EMERG, "  %08x-%08x %c%c%c%c %s%s\n", (unsigned)a->start, (unsigned)a->end,
         a->prot & VM_PROT_READ ? 'r' : '-', a->prot & VM_PROT_WRITE ? 'w' : '-',
         a->prot & VM_PROT_EXEC ? 'x' : '-', a->flags & VM_SHARED ? 's' : 'p', a->name, mark);
}

/* The area that addr is in, or would be, and its neighbours. */
static void report_areas(const struct vm_space *s, uint32_t addr)
{
    struct vm_area_info areas[AREAS_AROUND];
    unsigned n = vm_peek_areas(s, addr, areas, AREAS_AROUND);

    klog(LOG_EMERG, "Areas around %08x:\n", (unsigned)addr);
    for (unsigned i = 0; i < n; i++)
        report_area(&areas[i], addr);
}

static void report_locks(const struct cpu *c)
{
    klog(LOG_EMERG, "Locks: %u spin locks held\n", (unsigned)c->spin_depth);
    for (unsigned i = 0; i < CPU_HELD_LOCKS; i++)
        if (c->held[i])
            klog(LOG_EMERG, "  %s (rank %u)\n", c->held[i]->name, (unsigned)c->held[i]->rank);
}

static void report_fault(const struct vm_fault_event *e)
{
    klog(LOG_EMERG, "  %u.%06u process %d address %08x %s row %u frame %x\n",
         (unsigned)(e->time_ns / 1000000000), (unsigned)(e->time_ns / 1000 % 1000000), (int)e->pid,
         (unsigned)e->addr, e->flags & VM_EVENT_WRITE ? "write" : "read", e->why,
         (unsigned)e->frame);
}

static void report_faults(void)
{
    struct vm_fault_event e[LAST_FAULTS];
    unsigned n;

    if (!vm_trace_is_on())
        return;
    n = vm_trace_peek(e, LAST_FAULTS);
    klog(LOG_EMERG, "Last page faults (rows: enum vm_fault_case):\n");
    for (unsigned i = 0; i < n; i++)
        report_fault(&e[i]);
}

void crash_report_state(const struct panic_cause *c)
{
    const struct thread *t = thread_current();

    report_process(t);
    report_locks(cpu_self());
    if (c->tf && c->addr < USER_TOP && t && t->proc && t->proc->space)
        report_areas(t->proc->space, c->addr);
    report_faults();
}
