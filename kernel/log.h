/*
 * The kernel log: a ring that dmesg reads, shown on the consoles as well.
 */
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

#include <stdarg.h>
#include <stddef.h>

enum log_level { LOG_EMERG, LOG_ALERT, LOG_CRIT, LOG_ERR, LOG_WARN, LOG_NOTICE, LOG_INFO, LOG_DEBUG };

/* One line, newline included by the caller. Any context, any lock held. With "quiet" on the command
 * line only LOG_WARN and above reach the consoles. */
void klog(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void vklog(enum log_level level, const char *fmt, va_list ap);
void log_set_quiet(void);

/* Prints why with a symbolised backtrace, then halts, resets or powers off as panic= says. */
_Noreturn void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* syslog(2) on the ring: see man 2 syslog; buf is user memory. */
int log_syslog(int type, char *ubuf, int len);

/* Registered by console drivers; write must work in any context, polling if need be. */
struct console {
    const char *name;                 /* "ttyS0", "tty1" */
    void (*write)(const char *s, size_t n);
    struct console *next;
};
void console_register(struct console *c);      /* replays the log so far into it */

#endif
