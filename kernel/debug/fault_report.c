/*
 * What the log says of a process that its own fault has killed: the registers that matter, and in
 * words what it did and where the memory is that it has.
 */
#include "kernel/debug/fault_report.h"
#include "arch/cpu.h"
#include "arch/trap.h"
#include "kernel/base/log.h"
#include "kernel/thread/proc.h"
#include "libc/printf.h"
#include "libc/string.h"
#include "mm/vm.h"

#define LOG_BURST  10 /* lines in LOG_WINDOW, so that programs cannot flood the log */
#define LOG_WINDOW (5 * NSEC_PER_SEC)

static bool log_allowed(void)
{
    static uint64_t window;
    static uint32_t count;
    uint64_t now = time_mono_ns();

    if (now - window > LOG_WINDOW) {
        window = now;
        count = 0;
    }
    return count++ < LOG_BURST;
}

/* What an area is called: heap, stack, the last part of a file's path. */
static const char *area_title(const struct vm_area_info *a)
{
    const char *slash = strrchr(a->name, '/');

    if (a->flags & VM_HEAP)
        return "heap";
    if (a->flags & (VM_STACK | VM_GROWSDOWN))
        return "stack";
    if (!a->name[0])
        return "anonymous";
    return slash ? slash + 1 : a->name;
}

static const char *denied_by(const struct vm_area_info *a)
{
    if (!a->prot)
        return "inaccessible page";
    return a->prot & VM_PROT_WRITE ? "page" : "read-only page";
}

/* "write to unmapped page; nearest mapping heap 00600000-00621000" into buf. */
static void describe_access(struct vm_space *s, vaddr_t addr, const char *access, int signo,
                            char *buf, size_t size)
{
    struct vm_area_info *a = kmalloc(sizeof(*a));
    bool inside = a && vm_nearest_area(s, addr, a) && addr >= a->start && addr < a->end;

    if (!a || a->end == 0)
        snprintf(buf, size, "%s unmapped page", access);
    else if (!inside)
        snprintf(buf, size, "%s %s; nearest mapping %.32s %08x-%08x", access,
                 addr >= USER_TOP ? "kernel memory" : "unmapped page", area_title(a), a->start,
                 a->end);
    else
        snprintf(buf, size, "%s %s of %.32s %08x-%08x", access,
                 signo == SIGBUS ? "page past the end" : denied_by(a), area_title(a), a->start,
                 a->end);
    kmfree(a);
}

void report_fatal_fault(const struct thread *t, const struct trapframe *tf, int signo)
{
    const struct signal_state *g = &t->sig;
    bool page_fault = g->trap_no == TRAP_PAGE_FAULT;
    char what[128] = "";

    if (!log_allowed())
        return;
    if (page_fault && t->proc->space) {
        const char *access = g->trap_err & PF_WRITE    ? "write to"
                             : g->trap_addr == tf->eip ? "jump to"
                                                       : "read from";
        describe_access(t->proc->space, g->trap_addr, access, signo, what, sizeof(what));
    }
    klog(LOG_INFO, "pid %d %s: trap %u err %u on cpu %u eip 0x%x addr 0x%x -- %s%skill proc\n",
         t->proc->pid, t->proc->comm, g->trap_no, g->trap_err, cpu_self()->id, tf->eip,
         g->trap_addr, what, what[0] ? " -- " : "");
}

void report_sent_fault(const struct thread *t, int signo, const struct siginfo *info)
{
    if (!log_allowed())
        return;
    if (info->code == SI_USER || info->code == SI_TKILL)
        klog(LOG_INFO, "pid %d %s: signal %d, sent by pid %d (uid %d) -- kill proc\n", t->proc->pid,
             t->proc->comm, signo, info->pid, info->uid);
    else
        klog(LOG_INFO, "pid %d %s: signal %d, sent with code %d -- kill proc\n", t->proc->pid,
             t->proc->comm, signo, info->code);
}
