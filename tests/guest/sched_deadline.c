/* SCHED_DEADLINE: what is refused, and with which error; the settings of real-time scheduling. */
#include "guest.h"
#include "sched_attr.h"

CHANGES_THE_MACHINE("/proc/sys/kernel/sched_*");

#ifndef SCHED_DEADLINE
#define SCHED_DEADLINE 6
#endif
#define MS 1000000ull

static int set(uint64_t runtime, uint64_t deadline, uint64_t period)
{
    struct attr a = {sizeof(a), SCHED_DEADLINE, 0, 0, 0, runtime, deadline, period};

    return syscall(SYS_sched_setattr, 0, &a, 0);
}

static int other(uint32_t priority, int32_t nice, uint64_t flags)
{
    struct attr a = {sizeof(a), SCHED_DEADLINE, flags, nice, priority, 10, 10 * MS, 10 * MS};

    return syscall(SYS_sched_setattr, 0, &a, 0);
}

static int old_call(int policy)
{
    struct sched_param p = {0};

    return sched_setscheduler(0, policy, &p);
}

static void wrong(void)
{
    SHOW(set(0, 0, 0));
    SHOW(set(0, 10 * MS, 0));
    SHOW(set(1023, 10 * MS, 0));
    SHOW(set(11 * MS, 10 * MS, 10 * MS));
    SHOW(set(5 * MS, 11 * MS, 10 * MS));
    SHOW(set(5 * MS, 1ull << 63, 0));
    SHOW(set(5 * MS, 10 * MS, 1ull << 63));
    SHOW(set(5000, 99999, 0));
    SHOW(set(5000, 99999, 99999));
    SHOW(set(5 * MS, 10 * MS, 4194305000ull));
    SHOW(set(5 * MS, 4194305000ull, 0));
    SHOW(other(1, 0, 0));
    SHOW(other(100, 0, 0));
    SHOW(other(0, 0, 0x80));
    SHOW(old_call(SCHED_DEADLINE));
    SHOW(set(100 * MS, 100 * MS, 100 * MS)); /* more than there is */
    SHOW(set(99 * MS, 100 * MS, 100 * MS));
    SHOW(set(960 * MS, 1000 * MS, 0));
}

static void by_nobody(void *arg)
{
    (void)arg;
    setresuid(NOBODY, NOBODY, NOBODY);
    SHOW(set(0, 0, 0));
    SHOW(set(5 * MS, 10 * MS, 10 * MS));
    SHOW(set(100 * MS, 100 * MS, 100 * MS));
}

static void put(const char *name, const char *value)
{
    char path[64];

    snprintf(path, sizeof(path), "kernel/sched_%s", name);
    printf("%s of %s: %s", value, path, put_setting(path, value));
    printf(", then %ld\n", number_in("/proc/sys/%s", path));
}

static void settings(void)
{
    static const char *const names[] = {"rt_period_us", "rt_runtime_us", "deadline_period_min_us",
                                        "deadline_period_max_us", "rr_timeslice_ms"};

    for (int i = 0; i < 5; i++)
        printf("%s: %ld\n", names[i], number_in("/proc/sys/kernel/sched_%s", names[i]));
    put("rt_period_us", "0");
    put("rt_period_us", "949999");
    put("rt_period_us", "950000");
    put("rt_runtime_us", "950001");
    put("rt_runtime_us", "500000");
    put("rt_runtime_us", "x");
    put("rt_runtime_us", "-2");
    SHOW(set(60 * MS, 100 * MS, 100 * MS));
    put("rt_runtime_us", "0");
    SHOW(set(5 * MS, 100 * MS, 100 * MS));
    put("rt_runtime_us", "-1");
    put("rt_period_us", "1000000");
    put("rt_runtime_us", "950000");
    put("deadline_period_min_us", "4194305");
    put("deadline_period_min_us", "20000");
    SHOW(set(100 * MS, 100 * MS, 100 * MS));
    SHOW(set(5 * MS, 19 * MS, 0));
    put("deadline_period_max_us", "19999");
    put("deadline_period_max_us", "50000");
    SHOW(set(5 * MS, 51 * MS, 0));
    SHOW(set(5 * MS, 10 * MS, 51 * MS));
    put("deadline_period_max_us", "4194304");
    put("deadline_period_min_us", "100");
}

int main(void)
{
    wrong();
    in_child("nobody", by_nobody, NULL);
    settings();
    return 0;
}
