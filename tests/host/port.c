/*
 * mm/port.h for host programs: nothing else runs, so nothing ever has to wait; the log goes to
 * standard error.
 */
#include "tests/host/port.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kernel/base/log.h"

void (*port_on_sleep)(struct spinlock *lock);

static void host_sleep(const void *chan, struct spinlock *lock)
{
    (void)chan;
    if (port_on_sleep) {
        port_on_sleep(lock);
        return;
    }
    fprintf(stderr, "a sleep that nobody would end\n");
    abort();
}

const int *port_served;

static int host_sleep_served(const void *chan, struct spinlock *lock)
{
    host_sleep(chan, lock);
    return port_served ? *port_served : 0;
}

static bool host_for_user(void)
{
    return true;
}

static void host_wakeup(const void *chan)
{
    (void)chan;
}

void (*port_between_steps)(void);

static bool host_yield(void)
{
    if (port_between_steps)
        port_between_steps();
    return port_between_steps != NULL;
}

int32_t port_pid = 1, port_parent = 0;

static void host_identify(int32_t *pid, int32_t *parent)
{
    *pid = port_pid;
    *parent = port_parent;
}

static uint32_t host_processor(void)
{
    return 0;
}

static void host_count_fault(bool major)
{
    (void)major;
}

static uint64_t host_now(void)
{
    static uint64_t now;

    return now += 1000;
}

static bool host_allocation_fails(void)
{
    return false;
}

static bool host_relieve(void)
{
    return false;
}

static unsigned host_writing_out(int change)
{
    static unsigned count;

    return count += (unsigned)change;
}

static void host_stalled(bool begins)
{
    (void)begins;
}

const struct mm_port host_port = {
    .sleep = host_sleep,
    .wakeup = host_wakeup,
    .sleep_served = host_sleep_served,
    .for_user = host_for_user,
    .yield = host_yield,
    .identify = host_identify,
    .processor = host_processor,
    .now = host_now,
    .count_fault = host_count_fault,
    .writing_out = host_writing_out,
    .stalled = host_stalled,
    .relieve = host_relieve,
    .allocation_fails = host_allocation_fails,
};

void vklog(enum log_level level, const char *fmt, va_list ap)
{
    (void)level;
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
}

_Noreturn void assert_failed(const char *expr, const char *file, int line)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expr);
    abort();
}

/* Nobody else wants this processor: the marked points of long work find nothing to do. */
void sched_give_way(void)
{
}

void schedule(void)
{
    abort();
}
