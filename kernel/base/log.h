/*
 * The kernel log: a ring that dmesg reads, shown on the consoles as well.
 */
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "arch/user.h"

enum log_level {
    LOG_EMERG,
    LOG_ALERT,
    LOG_CRIT,
    LOG_ERR,
    LOG_WARN,
    LOG_NOTICE,
    LOG_INFO,
    LOG_DEBUG
};
/* Whose line it is, as syslog(3) numbers them: added to the level. 0 is the kernel. */
#define LOG_FACILITY(n) ((n)*8u)

/* One line, newline included by the caller. Any context, any lock held. With "quiet" on the command
 * line only LOG_WARN and above reach the consoles. */
void klog(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void vklog(enum log_level level, const char *fmt, va_list ap);
void log_set_quiet(void);

/* From now on records carry the time that mono_ns tells. */
void log_set_clock(uint64_t (*mono_ns)(void));

/* Prints why with a symbolised backtrace, then halts, resets or powers off as panic= says. */
_Noreturn void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* That end alone, for who has said what is wrong in words of its own. */
_Noreturn void panic_end(void);
struct trapframe;
/* The panic to come is about the code interrupted there, and that address. */
void panic_at(struct trapframe *tf, uint32_t addr);

#define LOG_RING_SIZE  32768u
#define LOG_RECORD_MAX 256u

/* For readers (fs/dev). The record at *pos as syslog(2) gives it, or the oldest if that is gone:
 * its length, at most size, and *pos is past it; 0 after the last. Positions count bytes ever
 * written, wrap, and lie between log_oldest() and log_newest(). */
int log_next_record(uint32_t *pos, char *buf, size_t size);
uint32_t log_oldest(void);
uint32_t log_newest(void);

/* The consoles show what is more urgent than the level; LOG_LEVEL_ALL is all of it. */
#define LOG_LEVEL_ALL 8
void log_set_level(int level);
int log_level(void);

/* Registered by console drivers; write must work in any context, polling if need be. */
struct console {
    const char *name; /* "ttyS0", "tty1" */
    void (*write)(const char *s, size_t n);
    struct console *next; /* [log_lock] */
    uint32_t shown;       /* [flusher] how far of the ring it has shown */
    bool muted;           /* console= names others: urgent lines only */
    bool colours;         /* it is told what LOG_LOUD marks */
};
#define LOG_LOUD "\1" /* in a line: from here to its end it is what to look at first */
struct console *console_first(void);      /* all are linked by next; only ever grows */
void console_register(struct console *c); /* replays the log so far into it */

/*
 * The lock of what must work in any context, before struct cpu exists and after a panic: the log
 * and the console hardware. A leaf, outside the lock order; interrupts are off while it is held. A
 * holder that died, or this CPU itself interrupted by a fault, must not silence the message, so
 * waiting is bounded.
 */
struct console_lock {
    volatile uint32_t held;
};
uint32_t console_lock(struct console_lock *l); /* returns the flags for console_unlock */
void console_unlock(struct console_lock *l, uint32_t flags);

/* kernel/base/console.c: console=. The device that /dev/console stands for: the last console= of
 * the command line, "tty1" without one. console_is_named: whether the log goes to that console. */
void console_device_name(char *buf, size_t size);
bool console_is_named(const char *name);
/* The speed of a serial line: console=NAME,SPEED; without a speed 9600; 0: console= names none. */
uint32_t console_speed(const char *name);

extern bool panicking; /* one CPU is printing its last words */

#endif
