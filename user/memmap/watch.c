/* The trace of faults, line by line as it grows, and the gate that lets them by one at a time. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "user/memmap/memmap.h"

#define TRACE "/proc/faults"
#define ROOM  16384u

bool watch_open(struct watch *w)
{
    w->buf = malloc(ROOM);
    w->fd = open(TRACE, O_RDONLY | O_CLOEXEC);
    w->control = open(TRACE, O_RDWR | O_CLOEXEC);
    return w->buf && w->fd >= 0 && write(w->control, "1", 1) == 1;
}

unsigned watch_drain(struct watch *w, void (*take)(void *ctx, const char *line), void *ctx)
{
    unsigned taken = 0;
    ssize_t n;

    while ((n = read(w->fd, w->buf + w->used, ROOM - w->used - 1)) > 0) {
        char *line = w->buf, *end;

        w->buf[w->used + (size_t)n] = '\0';
        for (; (end = strchr(line, '\n')); line = end + 1) {
            *end = '\0';
            if (line[0] != '#') {
                take(ctx, line);
                taken++;
            }
        }
        w->used = strlen(line);
        memmove(w->buf, line, w->used);
    }
    return taken;
}

void watch_hold(struct watch *w, bool hold)
{
    const char *word = hold ? "hold" : "go";

    w->held = write(w->control, word, strlen(word)) > 0 && hold;
}

void watch_step(struct watch *w)
{
    (void)!write(w->control, "step", 4);
}
