/* What stands still for too long is reported, once, with who and where. */
#ifndef KERNEL_WATCHDOG_H
#define KERNEL_WATCHDOG_H

#include <stdint.h>

/* /proc/sys/kernel/hung_task_timeout_secs and watchdog_thresh, 0: off. As on Linux a CPU may take
 * twice the threshold. */
struct watchdog_limits {
    uint32_t hung_secs, thresh_secs;
};
extern struct watchdog_limits watchdog_limits;
#define WATCHDOG_HUNG_MAX   4000000u
#define WATCHDOG_THRESH_MAX 60u

/* From each tick of a CPU that is not idle: for how long it was asked to switch, and has not. */
void watchdog_tick(uint64_t stuck_ns);
void watchdog_init(void); /* once at boot, when there is a clock */
uint32_t watchdog_reports(void);

#endif
