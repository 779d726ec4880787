/* Trace categories: the switch, and the lines of page faults, switches and interrupts. */
#include "arch/latency.h"
#include "kernel/thread/trace.h"
#include "kernel/base/boot.h"
#include "kernel/base/log.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"
#include "libc/string.h"

uint32_t trace_mask;

static const struct {
    const char *name;
    uint32_t mask;
} categories[] = {
    {"faults", TRACE_FAULTS}, {"syscalls", TRACE_SYSCALLS}, {"sched", TRACE_SCHED},
    {"irq", TRACE_IRQ},       {"block", TRACE_BLOCK},
};
#define CATEGORIES (sizeof(categories) / sizeof(categories[0]))

static bool word_mask(const char *word, size_t len, uint32_t *mask)
{
    if (len == 3 && memcmp(word, "all", 3) == 0) {
        for (unsigned i = 0; i < CATEGORIES; i++)
            *mask |= categories[i].mask;
        return true;
    }
    if (len == 0 || (len == 4 && memcmp(word, "none", 4) == 0))
        return true;
    for (unsigned i = 0; i < CATEGORIES; i++) {
        if (strlen(categories[i].name) != len || memcmp(word, categories[i].name, len) != 0)
            continue;
        *mask |= categories[i].mask;
        return true;
    }
    return false;
}

int trace_set(const char *names, size_t len)
{
    const char *end = names + len;
    uint32_t mask = 0;

    for (const char *word = names; word <= end; word++) {
        size_t n = 0;

        while (word + n < end && word[n] != ',' && word[n] != ' ')
            n++;
        if (!word_mask(word, n, &mask))
            return -EINVAL;
        word += n;
    }
    trace_mask = mask | (trace_mask & (TRACE_OTHERS | TRACE_HELD));
    return 0;
}

void trace_get(char *buf, size_t size)
{
    buf[0] = '\0';
    for (unsigned i = 0; i < CATEGORIES; i++) {
        if (!(trace_mask & categories[i].mask))
            continue;
        if (buf[0])
            strlcat(buf, ",", size);
        strlcat(buf, categories[i].name, size);
    }
}

void trace_init(void)
{
    char names[64];

    if (latency_on)
        trace_mask |= TRACE_LATENCY;
    if (boot_option("trace", names, sizeof(names)) && trace_set(names, strlen(names)))
        klog(LOG_WARN, "trace: no such category in %s\n", names);
}

/* ---- Lines ------------------------------------------------------------------------------------
 */

void trace_fault(vaddr_t addr, enum vm_access access, enum vm_result r)
{
    static const char *const results[] = {[VM_MINOR] = "minor",
                                          [VM_MAJOR] = "major",
                                          [VM_BAD_ADDRESS] = "bad address",
                                          [VM_BAD_ACCESS] = "bad access",
                                          [VM_PAST_END] = "past the end",
                                          [VM_NO_MEMORY] = "no memory"};

    klog(LOG_DEBUG, "fault: %d %08x %s: %s\n", (int)thread_current()->tid, (unsigned)addr,
         access == VM_WRITE ? "write" : "read", results[r]);
}

void trace_switch(const struct thread *prev, const struct thread *next)
{
    klog(LOG_DEBUG, "sched: %d (%.16s) -> %d (%.16s)\n", (int)prev->tid, prev->proc->comm,
         (int)next->tid, next->proc->comm);
}

void trace_irq(unsigned irq)
{
    klog(LOG_DEBUG, "irq: %u\n", irq);
}
