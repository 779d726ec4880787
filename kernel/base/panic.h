/*
 * What a panic does besides its own lines is registered from above: base knows neither registers
 * nor processes nor the power switch.
 */
#ifndef KERNEL_PANIC_H
#define KERNEL_PANIC_H

#include <stdint.h>

struct trapframe;

/* What it is about. */
struct panic_cause {
    struct trapframe *tf; /* the code that was interrupted; NULL: panic() was called */
    uint32_t addr;        /* with tf: the address that it stumbled over */
    uint32_t ebp;         /* without: panic()'s frame */
};

/* In this order. */
enum panic_stage {
    PANIC_BACKTRACE,
    PANIC_STATE,    /* what the kernel's structures say */
    PANIC_COMPACT,  /* all of it in a line or two that can be copied by hand */
    PANIC_DEBUGGER, /* the last words are said; it may have the machine as long as it likes */
    PANIC_STAGES
};

/* One for each stage, at boot. It runs with interrupts off and takes no lock that may be held. */
void panic_register(enum panic_stage stage, void (*report)(const struct panic_cause *c));
/* Before anything is reported: other processors stop. */
void panic_register_stop(void (*stop)(void));
/* exit ends QEMU with a value, where it can, or returns; reset does not return. */
void panic_register_end(void (*exit)(uint8_t value), void (*reset)(void));

/* Cannot start at all: says why, and halts. */
_Noreturn void boot_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
