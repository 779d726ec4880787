/* One line of /proc/faults, and what it means in words. */
#ifndef USER_SHARED_EVENT_H
#define USER_SHARED_EVENT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define MAX_CASES 16

struct event {
    char time[24]; /* seconds since boot */
    int pid, parent;
    bool write;
    unsigned long addr;
    char area[16];  /* heap, stack, anon, file... */
    char prot[4];   /* of the area */
    char name[16];  /* of the case: zeroed, copy... */
    unsigned frame; /* mapped there now */
    unsigned around;
    unsigned long cycles;
    bool major, grew, mapped; /* read in; the stack grew; something was mapped there before */
    bool swapped;             /* row 1S: it was in swap */
    char from[32];            /* where: "zram0:17" */
    unsigned waited;          /* microseconds, for what had to be had first */
};

struct total {
    unsigned count, major;
    uint64_t cycles;
};

bool event_parse(const char *line, struct event *e);
bool event_lost(const char *line, unsigned *n); /* the line that tells of lost events */
void event_reason(const struct event *e, char *buf, size_t size);
void event_count(const struct event *e, struct total totals[MAX_CASES]);
struct total totals_sum(const struct total totals[MAX_CASES]);
void totals_print(const struct total totals[MAX_CASES], FILE *to);

#endif
