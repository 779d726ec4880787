/*
 * mm/port.h for host programs: nothing else runs, so nothing ever has to wait; the log goes to
 * standard error.
 */
#include "mm/port.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void port_sleep(const void *chan, struct spinlock *lock)
{
    (void)chan;
    (void)lock;
    fprintf(stderr, "a sleep that nobody would end\n");
    abort();
}

void port_wakeup(const void *chan)
{
    (void)chan;
}

void port_yield(void)
{
}

int32_t port_pid = 1, port_parent = 0; /* whom the fault trace shall name */

void port_identify(int32_t *pid, int32_t *parent)
{
    *pid = port_pid;
    *parent = port_parent;
}

void port_count_fault(bool major)
{
    (void)major;
}

uint64_t port_now(void)
{
    static uint64_t now;

    return now += 1000;
}

void port_log(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

_Noreturn void assert_failed(const char *expr, const char *file, int line)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expr);
    abort();
}

/* Nobody else wants this processor: the marked points of long work find nothing to do. */
void schedule(void)
{
    abort();
}
