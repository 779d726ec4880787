/* Crashes: what a report says besides registers, and the ways to provoke one. */
#ifndef KERNEL_CRASH_H
#define KERNEL_CRASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trapframe;

/* The parts of a report that need the kernel's structures: process, its areas around addr (with
 * has_addr), held locks, last page faults. Takes no lock that may be held. */
void crash_report_state(bool has_addr, uint32_t addr);

/*
 * Fails in one of the ways that tests and docs/debugging.md use: the names are listed in crash.c.
 * Comes back with -EINVAL when there is no such way; "pte", which only does damage, comes back with
 * 0.
 */
int crash_provoke(const char *how, size_t len);
void crash_boot_option(void); /* crash=HOW, in process 1 before init runs */

#endif
