/* Crashes: what a report says besides registers, and the ways to provoke one. */
#ifndef KERNEL_CRASH_H
#define KERNEL_CRASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct panic_cause;

/* Registers what follows with panic() and as /proc/sys/kernel/crash; before anything can fail. */
void crash_init(void);

/* The parts of a report that need the kernel's structures: process, its areas around addr (with
 * a frame), held locks, last page faults. Takes no lock that may be held. */
void crash_report_state(const struct panic_cause *c);

/* Fails in one of the ways that tests and docs/debugging.md use: the names are listed in crash.c.
 */
void crash_boot_option(void); /* crash=HOW, in process 1 before init runs */

#endif
