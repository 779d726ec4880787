/* The trace of faults, line by line as it grows, and the gate that lets them by one at a time. */
#ifndef USER_WATCH_H
#define USER_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#define WATCH_TRACE "/proc/faults"

struct watch {
    int fd, control; /* apart, as writing moves the place where reading goes on */
    char *buf;
    size_t used; /* of buf: the beginning of a line that is still to come */
    bool held;
};

/* The trace begins, empty. False, with errno: it cannot be had. */
bool watch_open(struct watch *w);
/* Calls take for each line since the last call, those that are no faults (#) too; how many faults
 * there were. */
unsigned watch_drain(struct watch *w, void (*take)(void *ctx, const char *line), void *ctx);
/* What /proc/faults is told: "0", "-1". */
void watch_say(struct watch *w, const char *word);
void watch_hold(struct watch *w, bool hold);
void watch_step(struct watch *w);

#endif
