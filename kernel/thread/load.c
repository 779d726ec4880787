/*
 * Processor time by use, and the load average: every five seconds the number of threads that run
 * or want to, exponentially damped over 1, 5 and 15 minutes, in fixed point.
 */
#include "kernel/thread/load.h"
#include "arch/processors.h"
#include "kernel/thread/sched.h"
#include "kernel/time/time.h"

#define LOAD_PERIOD (5 * HZ + 1) /* an odd tick, so as not to run in step with a timer */

static uint64_t uses[CPUS_MAX][CPU_USES]; /* [tick] read without a lock */
static uint32_t averages[3];              /* [tick] */
static uint32_t ticks_to_go = LOAD_PERIOD;

/* exp(-5 s / 1, 5, 15 min) */
static const uint32_t decay[3] = {1884, 2014, 2037};

static void update_averages(void)
{
    uint32_t now = sched_runnable() << LOAD_SHIFT;

    for (int i = 0; i < 3; i++) {
        uint64_t sum =
            (uint64_t)averages[i] * decay[i] + (uint64_t)now * ((1u << LOAD_SHIFT) - decay[i]);

        averages[i] = (uint32_t)(sum >> LOAD_SHIFT);
    }
}

void load_tick(unsigned cpu, enum cpu_use use)
{
    uses[cpu][use]++;
    if (cpu == 0 && --ticks_to_go == 0) {
        ticks_to_go = LOAD_PERIOD;
        update_averages();
    }
}

void load_times_of(unsigned cpu, uint64_t ticks[CPU_USES])
{
    for (int i = 0; i < CPU_USES; i++)
        ticks[i] = uses[cpu][i];
}

void load_times(uint64_t ticks[CPU_USES])
{
    for (int i = 0; i < CPU_USES; i++) {
        ticks[i] = 0;
        for (unsigned cpu = 0; cpu < cpus_online; cpu++)
            ticks[i] += uses[cpu][i];
    }
}

void load_average(uint32_t average[3])
{
    for (int i = 0; i < 3; i++)
        average[i] = averages[i];
}
