/* The trace of faults as a program follows it: watch.h */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "user/shared/watch.h"

#define ROOM 16384u

static bool say(struct watch *w, const char *word)
{
    return write(w->control, word, strlen(word)) > 0;
}

bool watch_open(struct watch *w)
{
    w->buf = malloc(ROOM);
    w->fd = open(WATCH_TRACE, O_RDONLY | O_CLOEXEC);
    w->control = open(WATCH_TRACE, O_RDWR | O_CLOEXEC);
    return w->buf && w->fd >= 0 && say(w, "1");
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
            take(ctx, line);
            taken += line[0] != '#';
        }
        w->used = strlen(line);
        memmove(w->buf, line, w->used);
    }
    return taken;
}

void watch_say(struct watch *w, const char *word)
{
    (void)say(w, word);
}

void watch_hold(struct watch *w, bool hold)
{
    w->held = say(w, hold ? "hold" : "go") && hold;
}

void watch_step(struct watch *w)
{
    watch_say(w, "step");
}
