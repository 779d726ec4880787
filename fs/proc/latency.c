/*
 * /proc/sched_latency: the longest that a thread kept the CPU after somebody else was to have it,
 * in cycles of the time-stamp counter, in which system call, and the calls that led to the switch.
 * Writing to it starts anew.
 */
#include "arch/thread.h"
#include "fs/proc/procfs.h"

int show_sched_latency(struct text *t, const struct target *who)
{
    struct sched_wait w;
    char name[64];

    (void)who;
    sched_longest_wait(&w, false);
    text_printf(t, "%llu cycles, thread %d, call %d\n", (unsigned long long)w.cycles, w.tid,
                w.call);
    for (unsigned i = 0; w.cycles && i < sizeof(w.calls) / sizeof(w.calls[0]) && w.calls[i]; i++) {
        code_name(w.calls[i], name, sizeof(name));
        text_printf(t, "  %s\n", name);
    }
    return 0;
}

int store_sched_latency(const char *text, size_t len, const struct target *who)
{
    struct sched_wait w;

    (void)text, (void)len, (void)who;
    sched_longest_wait(&w, true);
    return 0;
}
