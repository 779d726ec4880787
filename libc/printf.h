/*
 * The formatting core shared by the kernel and the programs.
 * %[-+ #0][width|*][.prec|.*][hh|h|l|ll|z|j|t](d|i|u|x|X|o|c|s|p|%).
 * Returns the length the whole output would have, as C99 snprintf does.
 */
#ifndef LIBC_PRINTF_H
#define LIBC_PRINTF_H

#include <stdarg.h>
#include <stddef.h>

int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap);
int snprintf(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Unsigned number at the start of s in the given base (0: by prefix); *end is set past it. */
unsigned long strtoul(const char *s, char **end, int base);
long strtol(const char *s, char **end, int base);

#endif
